import { describe, expect, it } from 'vitest';
import { withFakeServer } from '../test/support.js';
import { Roster } from './roster.js';
import { settle } from './testing/index.js';

const member = (session: string, user?: string) => ({ session, sessions: 1, ...(user !== undefined && { user }) });

function withRoster() {
  const roster = new Roster((error) => {
    throw error;
  });
  const told: string[] = [];
  roster.on('join', ({ session }) => told.push(`join ${session}`));
  roster.on('leave', ({ session }) => told.push(`leave ${session}`));
  roster.on('sync', (members) => told.push(`sync ${members.map(({ session }) => session)}`));
  return { roster, told };
}

describe('a roster', () => {
  it('a late list revives nobody, and does not hide who came after it', () => {
    const { roster, told } = withRoster();
    roster.begin();
    roster.leave(member('b'), 20);
    roster.join(member('c'), 21);
    roster.onPage([member('a'), member('b')], 10);
    roster.complete();
    expect(told).toEqual(['join c', 'join a', 'sync c,a']);
  });

  it('what was told late of a member is passed over', () => {
    const { roster, told } = withRoster();
    roster.begin();
    roster.onPage([member('a')], 10);
    roster.complete();
    roster.leave(member('a'), 9);
    roster.leave(member('a'), 12);
    roster.join(member('a'), 11);
    roster.join(member('a'), 11);
    expect(told).toEqual(['join a', 'sync a', 'leave a']);
  });

  it('pages of different revisions are one list', () => {
    const { roster, told } = withRoster();
    roster.begin();
    roster.onPage([member('a'), member('b')], 10);
    roster.leave(member('a'), 11);
    roster.join(member('x'), 12);
    roster.onPage([member('y'), member('x')], 13);
    roster.complete();
    expect(told).toEqual(['join a', 'join b', 'leave a', 'join x', 'join y', 'sync b,x,y']);
  });

  it('a list that is read again tells what changed, whatever revisions were before', () => {
    const { roster, told } = withRoster();
    roster.begin();
    roster.onPage([member('a'), member('b'), member('s1', 'u')], 1_000);
    roster.complete();
    const before = roster.members;
    expect(roster.members).toBe(before);
    told.length = 0;
    roster.lose();
    expect([roster.synced, roster.members]).toEqual([false, before]);
    roster.begin();
    roster.onPage([member('c'), member('a'), { ...member('s1', 'u'), sessions: 2 }], 5);
    roster.complete();
    expect(told).toEqual(['join c', 'leave b', 'sync a,s1,c']);
    expect(roster.members[1]).toEqual({ session: 's1', user: 'u', sessions: 2 });
  });

  it('a user that is named like a session is another member', () => {
    const { roster } = withRoster();
    roster.onPage([member('a'), member('b', 'a')], 1);
    expect(roster.members).toHaveLength(2);
  });
});

describe('presence of a subscription', () => {
  it('reads all pages, and a list of the connection before counts no more', async () => {
    const { clock, server, client } = withFakeServer();
    const asked: { id: number; cursor: string | undefined }[] = [];
    server.onFrame = (frame, link) => {
      if (frame.type === 'subscribe') {
        expect(frame.presence).toBe(true);
        link.send({ type: 'subscribed', id: frame.id, channel: 'a', durable: false });
      }
      if (frame.type === 'presence') asked.push({ id: frame.id, cursor: frame.cursor });
    };
    const subscription = client.channel('a').subscribe(() => {}, { presence: true });
    client.connect();
    clock.advance(100);
    const page = (id: number, session: string, rev: number, cursor?: string) =>
      server.link.send({
        type: 'presence',
        id,
        channel: 'a',
        members: [member(session)],
        count: 2,
        rev,
        ...(cursor !== undefined && { cursor }),
      });
    page(asked[0]?.id as number, 'one', 5, 'next');
    clock.advance(100);
    await settle();
    clock.advance(100);
    expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, 'next']);
    expect(subscription.presence.synced).toBe(false);
    server.link.cut();
    expect(subscription.presence.members.map(({ session }) => session)).toEqual(['one']);
    clock.advance(2_000);
    await settle();
    clock.advance(100);
    const fresh = asked.filter(({ cursor }) => cursor === undefined).at(-1)?.id as number;
    page(fresh, 'two', 1);
    clock.advance(100);
    await settle();
    expect(subscription.presence.members.map(({ session }) => session)).toEqual(['two']);
    expect(subscription.presence.synced).toBe(true);
  });
});
