/** What every presence engine promises. Each case uses a channel of its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  PresenceChange,
  PresenceMember,
  PresenceStore,
  PresentSession,
} from '../../src/presence/presence-store.js';
import { eventually, unique } from '../support/broker-kit.js';

export interface PresenceHarness {
  /** Two gateways' views of the same members, or twice the same where an engine has a single process. */
  readonly stores: readonly [PresenceStore, PresenceStore];
  stop(): Promise<void>;
}

/** Members of a channel as this store pages through them. */
export async function membersOf(store: PresenceStore, channel: string, limit = 100): Promise<PresenceMember[]> {
  const members: PresenceMember[] = [];
  for (let after = ''; ; ) {
    const page = await store.list(channel, { after, limit });
    members.push(...page.members);
    const last = page.members.at(-1);
    if (!page.more || !last) return members;
    after = last.user === undefined ? `s:${last.session}` : `u:${last.user}`;
  }
}

/** A watcher that remembers what it was told. */
export async function watch(store: PresenceStore, channel: string): Promise<PresenceChange[]> {
  const changes: PresenceChange[] = [];
  await store.watch(channel, { onChange: (change) => changes.push(change), onInterrupted() {}, onResumed() {} });
  return changes;
}

export function presenceCases(start: () => Promise<PresenceHarness>): void {
  describe('presence', () => {
    let harness: PresenceHarness;
    beforeAll(async () => {
      harness = await start();
    });
    afterAll(() => harness.stop());

    const session = (id: string, user?: string, info?: unknown): PresentSession => ({ session: id, user, info });

    it('lists a session once it is added, with what its token says', async () => {
      const [a, b] = harness.stores;
      const channel = `p:${unique()}`;
      await a.add(channel, session('s1', 'ada', { name: 'Ada "L"' }));
      await b.add(channel, session('s2'));
      const members = [
        { session: 's2', sessions: 1 },
        { session: 's1', user: 'ada', info: { name: 'Ada "L"' }, sessions: 1 },
      ];
      for (const store of harness.stores) {
        expect(await membersOf(store, channel)).toEqual(members);
        expect(await store.list(channel, { after: '', limit: 1 })).toMatchObject({ count: 2, more: true });
      }
    });

    it('nobody is on a channel that nobody entered', async () => {
      const page = await harness.stores[0].list(`p:${unique()}`, { after: '', limit: 10 });
      expect(page).toEqual({ members: [], count: 0, rev: 0, more: false });
    });

    it('counts the sessions of a user as one member, who leaves with the last of them', async () => {
      const [a, b] = harness.stores;
      const channel = `p:${unique()}`;
      const changes = await watch(b, channel);
      await a.add(channel, session('s1', 'ada'));
      await b.add(channel, session('s2', 'ada'));
      expect(await membersOf(a, channel)).toEqual([{ session: 's1', user: 'ada', sessions: 2 }]);
      a.remove(channel, 's1');
      await eventually(() => changes.length === 3, 'three changes');
      b.remove(channel, 's2');
      await eventually(() => changes.length === 4, 'four changes');
      expect(await membersOf(a, channel)).toEqual([]);
      expect(changes.map(({ joined, counted, left }) => [joined.length, counted.length, left.length])).toEqual([
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]);
    });

    it('tells every change once, each behind the one before', async () => {
      const [a, b] = harness.stores;
      const channel = `p:${unique()}`;
      const changes = await watch(b, channel);
      for (let i = 0; i < 20; i++) await a.add(channel, session(`s${i}`, i % 2 ? `u${i}` : undefined));
      for (let i = 0; i < 20; i++) a.remove(channel, `s${i}`);
      const left = () => changes.reduce((sum, change) => sum + change.left.length, 0);
      await eventually(() => left() === 20, 'all have left');
      expect(changes.reduce((sum, change) => sum + change.joined.length, 0)).toBe(20);
      let prev = 0;
      for (const change of changes) {
        expect(change.prev).toBe(prev);
        expect(change.rev).toBeGreaterThan(prev);
        prev = change.rev;
      }
    });

    it('a member who comes back after everybody left has a higher revision', async () => {
      const [a] = harness.stores;
      const channel = `p:${unique()}`;
      const changes = await watch(a, channel);
      await a.add(channel, session('s1'));
      a.remove(channel, 's1');
      await eventually(() => changes.length === 2, 'left');
      await a.add(channel, session('s1'));
      await eventually(() => changes.length === 3, 'back');
      expect([0, changes[1]?.rev]).toContain(changes[2]?.prev);
      expect(changes[2]?.rev).toBeGreaterThan(changes[1]?.rev as number);
    });

    it('takes a repeated add, and a remove of what is not there, for nothing new', async () => {
      const [a] = harness.stores;
      const channel = `p:${unique()}`;
      const changes = await watch(a, channel);
      await a.add(channel, session('s1', 'ada'));
      await a.add(channel, session('s1', 'ada'));
      a.remove(channel, 's9');
      await a.add(channel, session('s2', 'bob'));
      await eventually(() => changes.length >= 2, 'two changes');
      expect(changes).toHaveLength(2);
      expect(await membersOf(a, channel)).toHaveLength(2);
    });

    it('adds and removes in one turn end as the last of them says', async () => {
      const [a] = harness.stores;
      const channel = `p:${unique()}`;
      const added = Array.from({ length: 50 }, (_, i) => a.add(channel, session(`s${i}`, 'ada')));
      for (let i = 0; i < 49; i++) a.remove(channel, `s${i}`);
      await Promise.all(added);
      await expect.poll(() => membersOf(a, channel)).toMatchObject([{ user: 'ada', sessions: 1 }]);
    });

    it('pages through 2,500 members: each once, whatever comes and goes between the pages', async () => {
      const [a, b] = harness.stores;
      const channel = `p:${unique()}`;
      const ids = Array.from({ length: 2_500 }, (_, i) => `m${String(i).padStart(5, '0')}`);
      await Promise.all(ids.map((id) => a.add(channel, session(id))));
      const seen: string[] = [];
      for (let after = ''; ; ) {
        const page = await b.list(channel, { after, limit: 1_000 });
        seen.push(...page.members.map((member) => member.session));
        await a.add(channel, session(`a${after}`));
        if (!page.more) break;
        after = `s:${seen.at(-1)}`;
      }
      expect(seen).toEqual(ids);
    });

    it('names of users and channels with colons and braces stay apart', async () => {
      const [a] = harness.stores;
      const base = unique();
      const channels = [`p:${base}`, `p:${base}:x`, `p:{${base}}`, `p:${base}}`];
      for (const channel of channels) await a.add(channel, session(`s:${channel}`, `u:{1}:${channel}`));
      for (const channel of channels) {
        expect(await membersOf(a, channel)).toEqual([
          { session: `s:${channel}`, user: `u:{1}:${channel}`, sessions: 1 },
        ]);
      }
    });
  });
}
