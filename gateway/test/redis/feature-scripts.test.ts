/** What the scripts of presence, webhooks and revocations promise, each by itself: on a real server, without what stands on them. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createRedisRevocations } from '../../src/control/redis-revocations.js';
import type { Revocation } from '../../src/control/revocation.js';
import {
  allChannels,
  forgetGateway,
  listMembers,
  overdueGateways,
  renewLease,
  type SessionUpdate,
  updateSessions,
} from '../../src/presence/redis/presence-scripts.js';
import { RedisDeployment } from '../../src/redis/deployment.js';
import { presenceKeys, shardOf, webhookKeys } from '../../src/redis/keys.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import {
  addEvent,
  deadLetters,
  queueLength,
  settleDeadLetters,
  settleEvents,
  takeEvents,
} from '../../src/webhooks/redis/webhook-scripts.js';
import { unique } from '../support/broker-kit.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

let servers: StandaloneServers;
let deployment: RedisDeployment;

beforeAll(async () => {
  servers = await startRedis();
  deployment = new RedisDeployment({ target: parseRedisUrl(servers.url), clock: systemClock });
  deployment.start();
});
afterAll(async () => {
  deployment?.close();
  await servers?.stop();
});

describe('presence', () => {
  const LEASE_MS = 60_000;
  /** A channel of its own, and two gateways with leases in its shard. */
  async function setUp() {
    const channel = `p:${unique()}`;
    const [a, b] = [unique(), unique()];
    const { commands } = deployment;
    for (const gateway of [a, b]) await renewLease(commands, shardOf(channel), gateway, LEASE_MS);
    const update = (gateway: string, sessions: SessionUpdate[], by: 'own' | 'swept' = 'own', maxEvents = 0) =>
      updateSessions(commands, {
        keys: presenceKeys(channel, gateway),
        channel,
        gateway,
        push: ` presence ${channel}`,
        by,
        sessions,
        maxEvents,
      });
    const list = () => listMembers(commands, presenceKeys(channel, a), '', 100);
    const members = async () => (await list()).members.map(({ user, sessions }) => `${user} ${sessions}`);
    return { channel, shard: shardOf(channel), commands, a, b, update, list, members };
  }
  const join = (session: string, user: string): SessionUpdate => ({
    session,
    member: `u:${user}`,
    json: JSON.stringify({ session, user }),
  });

  it('doing it twice, as after a lost answer, is as good as doing it once', async () => {
    const { a, b, update, list, members } = await setUp();
    for (let n = 0; n < 2; n++) await update(a, [join('s1', 'ada')]);
    await update(b, [join('s2', 'ada')]);
    const { rev } = await list();
    for (let n = 0; n < 2; n++) await update(b, [join('s2', 'ada')]);
    expect([await members(), (await list()).rev]).toEqual([['ada 2'], rev]);
    for (let n = 0; n < 2; n++) await update(a, [{ session: 's1' }]);
    expect(await members()).toEqual(['ada 1']);
    await update(b, [{ session: 's2' }]);
    expect(await members()).toEqual([]);
  });

  it('a session that has become another member leaves as the one it was', async () => {
    const { a, update, members } = await setUp();
    await update(a, [join('s1', 'ada')]);
    await update(a, [join('s1', 'bob')]);
    expect(await members()).toEqual(['bob 1']);
  });

  it('revisions are of the time, and grow where the clock stands still or steps back', async () => {
    const { a, update, list, channel } = await setUp();
    await update(a, [join('s1', 'ada')]);
    const { rev } = await list();
    expect(Math.abs(rev / 1_000 - Date.now())).toBeLessThan(60_000);
    const later = rev + 3_600_000_000;
    await servers.node.client.hset(presenceKeys(channel, a).members, 'rev', String(later));
    await update(a, [join('s2', 'bob')]);
    expect((await list()).rev).toBe(later + 1);
  });

  it('a gateway changes its own while it has a lease, others what it left when it has none', async () => {
    const { a, update, members, shard, commands } = await setUp();
    await update(a, [join('s1', 'ada')]);
    expect(await update(a, [{ session: 's1' }], 'swept')).toBe(false);
    await renewLease(commands, shard, a, 1);
    await delay(5);
    expect(await update(a, [join('s2', 'bob')])).toBe(false);
    expect(await members()).toEqual(['ada 1']);
    expect(await update(a, [{ session: 's1' }], 'swept')).toBe(true);
    expect(await members()).toEqual([]);
  });

  it('a lease holds until its time is over or another server takes over', async () => {
    const { a, b, shard, commands } = await setUp();
    expect(await renewLease(commands, shard, a, 1)).toMatchObject({ isHeld: true });
    await delay(5);
    expect(await overdueGateways(commands, shard)).toEqual([a]);
    expect((await renewLease(commands, shard, b, LEASE_MS)).over).toEqual([a]);
    expect(await renewLease(commands, shard, a, LEASE_MS)).toMatchObject({ isHeld: false, over: [] });
    // It is held from then on, but was given by another server.
    const { leases } = presenceKeys('x', a);
    const [until] = String(await servers.node.client.hget(leases.replace(/s\d+/, `s${shard}`), a)).split(' ');
    await servers.node.client.hset(leases.replace(/s\d+/, `s${shard}`), a, `${until} ${'0'.repeat(40)}`);
    expect(await renewLease(commands, shard, a, LEASE_MS)).toMatchObject({ isHeld: false });
    expect(await renewLease(commands, shard, a, LEASE_MS)).toMatchObject({ isHeld: true });
  });

  it('a gateway is forgotten once its lease is over and it has left every channel, not before', async () => {
    const { a, b, update, channel, shard, commands } = await setUp();
    await update(a, [join('s1', 'ada')]);
    expect(await allChannels(commands, shard, a)).toEqual([channel]);
    await renewLease(commands, shard, a, 1);
    await delay(5);
    await forgetGateway(commands, shard, a);
    expect(await overdueGateways(commands, shard)).toEqual([a]);
    await update(a, [{ session: 's1' }], 'swept');
    expect(await allChannels(commands, shard, a)).toEqual([]);
    await forgetGateway(commands, shard, a);
    await forgetGateway(commands, shard, b);
    expect(await overdueGateways(commands, shard)).toEqual([]);
    expect(await renewLease(commands, shard, b, LEASE_MS)).toMatchObject({ isHeld: true });
  });

  it('tells webhooks of members who join and leave, not of their further sessions', async () => {
    const { a, b, update, shard, commands } = await setUp();
    await update(a, [join('s1', 'ada')], 'own', 100);
    await update(b, [join('s2', 'ada')], 'own', 100);
    await update(a, [{ session: 's1' }], 'own', 100);
    await update(b, [{ session: 's2' }], 'own', 100);
    const entries = await takeEvents(commands, shard, a, 60_000);
    const types = entries?.map(({ event }) => (JSON.parse(event) as { type: string }).type);
    expect(types).toEqual(['member.joined', 'member.left']);
    await settleEvents(commands, shard, a, entries?.map(({ id }) => id) ?? []);
  });
});

describe('webhooks', () => {
  const texts = (entries: readonly { readonly event: string }[] | undefined) => entries?.map(({ event }) => event);
  let next = 0;
  /** A shard of its own, with these events. */
  async function setUp(...events: string[]) {
    const shard = next++;
    const { commands } = deployment;
    for (const event of events) await addEvent(commands, shard, event, 1_000);
    return { shard, commands };
  }

  it('are sent by one gateway at a time, in order, and stay until they are sent', async () => {
    const { shard, commands } = await setUp('e1', 'e2');
    const taken = await takeEvents(commands, shard, 'a', 60_000);
    expect(texts(taken)).toEqual(['e1', 'e2']);
    expect(await takeEvents(commands, shard, 'b', 60_000)).toBeUndefined();
    expect(texts(await takeEvents(commands, shard, 'a', 60_000))).toEqual(['e1', 'e2']);
    await addEvent(commands, shard, 'e3', 1_000);
    expect(await settleEvents(commands, shard, 'a', taken?.map(({ id }) => id) ?? [])).toBe(true);
    expect(texts(await takeEvents(commands, shard, 'a', 60_000))).toEqual(['e3']);
  });

  it('belong to the next gateway once the sender had its time, and the first one may not take them off', async () => {
    const { shard, commands } = await setUp('e1');
    const [entry] = (await takeEvents(commands, shard, 'a', 1)) ?? [];
    await delay(5);
    expect(texts(await takeEvents(commands, shard, 'b', 60_000))).toEqual(['e1']);
    expect(await settleEvents(commands, shard, 'a', [entry?.id ?? ''])).toBe(false);
    expect(await queueLength(commands, shard)).toBe(1);
  });

  it('an empty queue has no sender: whoever adds next sends at once', async () => {
    const { shard, commands } = await setUp('e1');
    const [entry] = (await takeEvents(commands, shard, 'a', 60_000)) ?? [];
    await settleEvents(commands, shard, 'a', [entry?.id ?? '']);
    expect(await takeEvents(commands, shard, 'a', 60_000)).toEqual([]);
    await addEvent(commands, shard, 'e2', 1_000);
    expect(texts(await takeEvents(commands, shard, 'b', 60_000))).toEqual(['e2']);
    expect(await servers.node.client.exists(webhookKeys(shard).sender)).toBe(1);
  });

  it('that are given up are put aside with the reason, and put back behind what waits, once', async () => {
    const { shard, commands } = await setUp('e1', 'e2');
    const [entry] = (await takeEvents(commands, shard, 'a', 60_000)) ?? [];
    await settleEvents(commands, shard, 'a', [entry?.id ?? ''], 'it answered 422');
    const [letter] = await deadLetters(commands, shard, 10);
    expect(letter).toMatchObject({ event: 'e1', why: 'it answered 422' });
    expect(await settleDeadLetters(commands, shard, 'replay', [letter?.id ?? ''])).toBe(1);
    expect(await settleDeadLetters(commands, shard, 'replay', [letter?.id ?? ''])).toBe(0);
    expect(texts(await takeEvents(commands, shard, 'a', 60_000))).toEqual(['e2', 'e1']);
    expect(await deadLetters(commands, shard, 10)).toEqual([]);
  });

  it('that are dropped are not put back', async () => {
    const { shard, commands } = await setUp('e1');
    const [entry] = (await takeEvents(commands, shard, 'a', 60_000)) ?? [];
    await settleEvents(commands, shard, 'a', [entry?.id ?? ''], 'no');
    const [letter] = await deadLetters(commands, shard, 10);
    expect(await settleDeadLetters(commands, shard, 'drop', [letter?.id ?? ''])).toBe(1);
    expect([await queueLength(commands, shard), await deadLetters(commands, shard, 10)]).toEqual([0, []]);
  });
});

describe('revocations', () => {
  it('are read where they changed; of two for the same the later times hold; those that ended go', async () => {
    const store = createRedisRevocations(deployment);
    const now = Date.now();
    const revoke = (id: string, atMs: number, untilMs: number): Revocation => ({ kind: 'user', id, atMs, untilMs });
    await store.write([revoke('ada', now, now + 60_000), revoke('old', now - 200_000, now - 100_000)]);
    await store.write([revoke('ada', now - 5, now + 90_000)]);
    const first = await store.read('');
    expect(first?.revocations).toEqual([revoke('ada', now, now + 90_000)]);
    expect(await store.read(first?.version ?? '')).toBeUndefined();
    await store.write([{ kind: 'token', id: 'a b', atMs: now, untilMs: now + 60_000 }]);
    const second = await store.read(first?.version ?? '');
    expect(second?.revocations).toHaveLength(2);
    expect(second?.revocations).toContainEqual({ kind: 'token', id: 'a b', atMs: now, untilMs: now + 60_000 });
  });
});
