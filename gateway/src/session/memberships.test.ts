import { describe, expect, it } from 'vitest';
import { createHub } from '../../test/support/hub-kit.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import { NO_PERMISSIONS } from '../auth/permissions.js';
import { FanfareError } from '../errors.js';
import { Memberships } from './memberships.js';

const LIMIT = 3;
const grant = { grants: NO_PERMISSIONS, expiresAt: 1_000 };

function setUp(over: Parameters<typeof createHub>[0] = () => ({}), options: Parameters<typeof createHub>[1] = {}) {
  const { hub, publish } = createHub(over, options);
  const topics = new Set<string>();
  const told: string[] = [];
  const member = {
    ...plainSubscriber(),
    subscribe: (topic: string) => void topics.add(topic),
    unsubscribe: (topic: string) => void topics.delete(topic),
  };
  const memberships = new Memberships(hub, member, LIMIT, {
    onEntered: ({ name }, presence) => told.push(`entered ${name}${presence ? ' as a member' : ''}`),
    onLeft: (name, cause) => told.push(`left ${name}: ${cause}`),
  });
  const subscribe = (name: string, more: Partial<Parameters<Memberships['subscribe']>[1]> = {}) =>
    memberships.subscribe(openChannel(name), {
      start: undefined,
      presence: false,
      onJoined: () => told.push(`joined ${name}`),
      onFailed: (error) => told.push(`failed ${name}: ${(error as FanfareError).code}`),
      ...more,
    });
  return { hub, publish, memberships, subscribe, topics, told };
}

const away = new FanfareError('unavailable', 'nobody answers');

describe('a client', () => {
  it('is answered, then on the channel, then off it: listeners hear of each once', async () => {
    const { memberships, subscribe, topics, told } = setUp();
    await subscribe('a', { presence: true });
    expect([[...memberships.names()], [...topics]]).toEqual([['a'], ['json/a']]);
    expect([...memberships.standings()]).toMatchObject([{ channel: 'a', isLive: true, position: { offset: 0 } }]);
    memberships.unsubscribe('a');
    memberships.unsubscribe('a');
    expect([memberships.size, topics.size]).toEqual([0, 0]);
    expect(told).toEqual(['joined a', 'entered a as a member', 'left a: left']);
  });

  it('is on a channel once: it may start over from a position, and is not on it twice', async () => {
    const { hub, memberships, subscribe, told, publish } = setUp();
    await publish('1', openChannel('a'));
    await subscribe('a');
    const [stands] = [...memberships.standings()];
    await expect(subscribe('a')).rejects.toMatchObject({ code: 'already_subscribed' });
    await expect(subscribe('a', { start: { rewind: 1 } })).rejects.toMatchObject({ code: 'already_subscribed' });
    await subscribe('a', { start: { since: { epoch: String(stands?.position?.epoch), offset: 0 } } });
    expect(memberships.size).toBe(1);
    expect([...hub.channels()]).toEqual([{ channel: 'a', subscribers: 1 }]);
    // It did not leave in between.
    expect(told).toEqual(['joined a', 'entered a', 'joined a', 'entered a']);
  });

  it('may ask for a channel that the gateway put it on by itself, once', async () => {
    const { subscribe } = setUp();
    await subscribe('a', { isUnasked: true });
    await subscribe('a');
    await expect(subscribe('a')).rejects.toMatchObject({ code: 'already_subscribed' });
  });

  it('is on so many channels at a time, those that it joins included', async () => {
    const { memberships, subscribe } = setUp();
    const joining = ['a', 'b', 'c'].map((name) => subscribe(name));
    await expect(subscribe('d')).rejects.toMatchObject({ code: 'limit_exceeded' });
    await Promise.all(joining);
    memberships.unsubscribe('b');
    await subscribe('d');
    expect([...memberships.names()]).toEqual(['a', 'c', 'd']);
  });

  it('is off a channel that could not serve it, and told why by the answer', async () => {
    const { memberships, subscribe, told } = setUp(
      () => ({
        read() {
          throw away;
        },
      }),
      { joinTimeoutMs: 30 },
    );
    await expect(subscribe('a')).rejects.toMatchObject({ code: 'unavailable' });
    expect([memberships.size, told]).toEqual([0, ['left a: failed']]);
  });

  it('that is taken off while it joins is answered with the reason, and not brought there', async () => {
    const { memberships, subscribe, topics, told } = setUp();
    const joining = subscribe('a');
    expect(memberships.joining).toBe(1);
    memberships.unsubscribe('a', new FanfareError('token_expired', 'over'));
    await expect(joining).rejects.toMatchObject({ code: 'token_expired' });
    await subscribe('b');
    expect([memberships.joining, [...memberships.names()], [...topics]]).toEqual([0, ['b'], ['json/b']]);
    expect(told).toEqual(['left a: left', 'joined b', 'entered b']);
  });

  it('whose connection ends is off everything, also where it was joining', async () => {
    const { memberships, subscribe, topics, told } = setUp();
    await subscribe('a');
    const joining = subscribe('b');
    memberships.end();
    await joining;
    expect([memberships.size, topics.size]).toEqual([0, 0]);
    expect(told).toEqual(['joined a', 'entered a', 'left a: closed', 'left b: closed']);
  });
});

describe('a client that lags', () => {
  it('is off what it gets now at once, and told of it later, but for what it has left or come back to', async () => {
    const { memberships, subscribe, topics, told } = setUp();
    for (const name of ['a', 'b', 'c']) await subscribe(name);
    memberships.takeOff();
    expect([topics.size, memberships.size]).toEqual([0, 0]);
    expect(told.slice(-3)).toEqual(['left a: lagged', 'left b: lagged', 'left c: lagged']);
    await subscribe('a');
    memberships.unsubscribe('b');
    expect(memberships.takeUntold()).toEqual(['c']);
    expect(memberships.takeUntold()).toEqual([]);
  });

  it('goes on joining what it joins: a replay waits for the socket by itself', async () => {
    const { memberships, subscribe, told } = setUp();
    const joining = subscribe('a');
    memberships.takeOff();
    await joining;
    expect(memberships.takeUntold()).toEqual([]);
    expect(told).toEqual(['joined a', 'entered a']);
  });
});

describe('a channel token', () => {
  it('holds while its client is on the channel, also when that starts over, until it is replaced or ends', async () => {
    const { memberships, subscribe } = setUp();
    await subscribe('a', { grant });
    expect(memberships.grantOn('a')).toBe(grant.grants);
    expect(memberships.grantOn('b')).toBeUndefined();
    await subscribe('a', { start: { since: { epoch: '1', offset: 0 } } });
    expect(memberships.grantOn('a')).toBe(grant.grants);
    expect([memberships.expired(999), memberships.expired(1_000)]).toEqual([[], ['a']]);
    expect(memberships.renew('a', { grants: NO_PERMISSIONS })).toBe(true);
    expect(memberships.expired(1e15)).toEqual([]);
    memberships.unsubscribe('a');
    expect(memberships.grantOn('a')).toBeUndefined();
    expect(memberships.renew('a', grant)).toBe(false);
  });
});
