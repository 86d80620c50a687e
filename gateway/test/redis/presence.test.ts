/** Members in Redis: what every engine promises, and what is left of it when servers and gateways fail. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.js';
import { systemClock } from '../../src/clock.js';
import { RedisPresence } from '../../src/presence/redis/redis-presence.js';
import { RedisDeployment } from '../../src/redis/deployment.js';
import { SHARD_COUNT, shardOf, slotOfShard } from '../../src/redis/keys.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { membersOf, presenceCases, watch } from '../cases/presence.cases.js';
import { delay, eventually, unique } from '../support/broker-kit.js';
import { type RedisServers, startCluster, startRedis, startSentinel } from '../support/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../support/slot-move.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

/** Leases that outlive whatever a busy machine makes of a test in which none is to end. */
const LASTING = { leaseMs: 60_000, renewMs: 500, sweepMs: 1_000 };
/** Short ones, so that what takes half a minute in production takes seconds here. */
const TIMINGS = { leaseMs: 2_000, renewMs: 500, sweepMs: 1_000 };

interface Gateway {
  readonly presence: RedisPresence;
  readonly deployment: RedisDeployment;
  /** Stops as a killed process does: nothing is taken back. */
  kill(): Promise<void>;
}

async function startGateway({ url }: Pick<RedisServers, 'url'>, timings = TIMINGS): Promise<Gateway> {
  const deployment = new RedisDeployment({ target: parseRedisUrl(url), clock: systemClock });
  const broker = createRedisBroker({ deployment });
  const presence = new RedisPresence({ deployment, broker, gateway: randomUUID(), timings });
  await broker.start();
  presence.start();
  let isOver = false;
  const kill = async () => {
    if (isOver) return;
    isOver = true;
    await presence.close();
    await broker.close();
    deployment.close();
  };
  return { presence, deployment, kill };
}

async function startGateways<Servers extends RedisServers>(servers: Servers, timings = TIMINGS) {
  const gateways = await Promise.all([startGateway(servers, timings), startGateway(servers, timings)]);
  return { servers, gateways, stop: async () => Promise.all(gateways.map((gateway) => gateway.kill())) };
}

/** Two gateways, ended with the test. */
async function twoGateways<Servers extends RedisServers>(servers: Servers) {
  onTestFinished(() => servers.stop());
  const { gateways, stop } = await startGateways(servers);
  onTestFinished(async () => void (await stop()));
  return gateways as [Gateway, Gateway];
}

const users = async (gateway: Gateway, channel: string) =>
  (await membersOf(gateway.presence, channel)).map(({ user, sessions }) => [user, sessions]);

for (const [kind, start] of [
  ['standalone', startRedis],
  ['cluster', () => startCluster({ replicas: 0 })],
] as const) {
  describe(kind, () => {
    presenceCases(async () => {
      const { servers, gateways, stop } = await startGateways(await start(), LASTING);
      const [a, b] = gateways as [Gateway, Gateway];
      return {
        stores: [a.presence, b.presence],
        async stop() {
          await stop();
          await servers.stop();
        },
      };
    });
  });
}

it('the members of a gateway that was killed leave, those of the others stay', async () => {
  const [a, b] = await twoGateways(await startRedis());
  const channels = Array.from({ length: 40 }, () => `p:${unique()}`);
  for (const channel of channels) {
    await a.presence.add(channel, { session: 'a1', user: 'both' });
    await a.presence.add(channel, { session: 'a2', user: 'gone' });
    await b.presence.add(channel, { session: 'b1', user: 'both' });
  }
  const changes = await watch(b.presence, channels[0] as string);
  await a.kill();
  for (const channel of channels) {
    await expect.poll(() => users(b, channel), { timeout: 15_000 }).toEqual([['both', 1]]);
  }
  await eventually(() => changes.some(({ left }) => left.length > 0), 'told');
  expect(changes.flatMap(({ left }) => left.map(({ user }) => user))).toEqual(['gone']);
});

it('nothing of a gateway that is gone is left in Redis', async () => {
  const servers = await startRedis();
  const [a, b] = await twoGateways(servers);
  for (let i = 0; i < 20; i++) await a.presence.add(`p:${unique()}`, { session: `a${i}` });
  await a.kill();
  const keys = async () => (await servers.node.client.keys('ff:*')).filter((key) => /:(po|pi|pn|pl)/.test(key));
  await expect.poll(keys, { timeout: 15_000 }).toEqual([]);
  await b.kill();
});

it('a gateway that was cut off longer than its lease is there again with all of its members', async () => {
  const servers = await startRedis();
  const [b] = await twoGateways(servers);
  const proxy = await startTcpProxy(servers.node.port);
  onTestFinished(() => proxy.close());
  const a = await startGateway({ url: `redis://127.0.0.1:${proxy.port}` });
  onTestFinished(() => a.kill());
  const channel = `p:${unique()}`;
  await a.presence.add(channel, { session: 'a1', user: 'ada' });
  await b.presence.add(channel, { session: 'b1', user: 'bob' });
  const changes = await watch(b.presence, channel);
  proxy.block();
  await eventually(() => changes.some(({ left }) => left[0]?.user === 'ada'), 'the others see it leave', 15_000);
  const added = a.presence.add(channel, { session: 'a2', user: 'eve' });
  proxy.open();
  await added;
  await expect
    .poll(() => users(b, channel), { timeout: 10_000 })
    .toEqual([
      ['ada', 1],
      ['bob', 1],
      ['eve', 1],
    ]);
});

it('a server that comes back empty is told of all members again', async () => {
  const servers = await startRedis();
  const [a, b] = await twoGateways(servers);
  const channel = `p:${unique()}`;
  await a.presence.add(channel, { session: 'a1', user: 'ada' });
  await b.presence.add(channel, { session: 'b1', user: 'bob' });
  await servers.node.kill9();
  const added = a.presence.add(channel, { session: 'a2', user: 'eve' });
  a.presence.remove(channel, 'a1');
  await servers.node.restart();
  await added;
  await expect
    .poll(() => users(b, channel).catch(() => []), { timeout: 20_000 })
    .toEqual([
      ['bob', 1],
      ['eve', 1],
    ]);
});

it('a failover that lost joins and leaves is put right', async () => {
  const servers = await startSentinel();
  const [a, b] = await twoGateways(servers);
  const channel = `p:${unique()}`;
  await a.presence.add(channel, { session: 'a1', user: 'ada' });
  await b.presence.add(channel, { session: 'b1', user: 'bob' });
  const master = await servers.master();
  await expect
    .poll(async () => (await master.client.info('replication')).match(/lag=(\d+)/)?.[1], { timeout: 10_000 })
    .toBe('0');
  // The replicas hear nothing of what comes now.
  for (const node of servers.nodes) if (node !== master) node.pause();
  await a.presence.add(channel, { session: 'a2', user: 'eve' });
  b.presence.remove(channel, 'b1');
  await expect
    .poll(() => users(a, channel))
    .toEqual([
      ['ada', 1],
      ['eve', 1],
    ]);
  await master.kill9();
  for (const node of servers.nodes) if (node !== master) node.resume();
  await expect
    .poll(() => users(b, channel).catch(() => []), { timeout: 30_000 })
    .toEqual([
      ['ada', 1],
      ['eve', 1],
    ]);
});

it('members go along with a slot that moves', async () => {
  const servers = await startCluster({ replicas: 0 });
  const [a, b] = await twoGateways(servers);
  const channel = `p:${unique()}`;
  await a.presence.add(channel, { session: 'a1', user: 'ada' });
  const move = await beginMove(servers, slotOfShard(shardOf(channel)));
  await moveKeys(move);
  for (const node of [move.target, move.source]) await tellMoved(node, move);
  await b.presence.add(channel, { session: 'b1', user: 'bob' });
  a.presence.remove(channel, 'a1');
  await expect.poll(() => users(a, channel), { timeout: 10_000 }).toEqual([['bob', 1]]);
});

it('10,000 members in one channel and 10,000 channels cost no more when idle than one of each', async () => {
  const servers = await startRedis();
  onTestFinished(() => servers.stop());
  const [a, b] = [await startGateway(servers, LASTING), await startGateway(servers, LASTING)];
  onTestFinished(async () => void (await Promise.all([a.kill(), b.kill()])));
  const addAll = (count: number, add: (i: number) => Promise<void>) =>
    Promise.all(Array.from({ length: count }, (_, i) => add(i)));
  const calls = async () => {
    const stats = await servers.node.client.info('commandstats');
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
  };
  // Some in every shard, so that every lease is held.
  await addAll(3_000, (i) => a.presence.add(`q:${i}`, { session: `a${i}` }));
  await addAll(3_000, (i) => b.presence.add(`q:${i}`, { session: `b${i}` }));
  const crowd = `p:${unique()}`;
  await addAll(10_000, (i) => (i % 2 ? a : b).presence.add(crowd, { session: `s${i}`, user: `u${i}` }));
  await addAll(7_000, (i) => a.presence.add(`r:${i}`, { session: `r${i}` }));
  expect(await a.presence.list(crowd, { after: '', limit: 1 })).toMatchObject({ count: 10_000 });
  const before = await calls();
  const since = performance.now();
  await delay(2_000);
  const idleCalls = (await calls()) - before;
  const elapsedMs = performance.now() - since;
  // One for each lease of the two, and one for each shard that they look at, whenever its time has come.
  const rounds = Math.ceil(elapsedMs / LASTING.renewMs) + 1 + Math.ceil(elapsedMs / LASTING.sweepMs) + 1;
  expect(idleCalls).toBeGreaterThan(0);
  expect(idleCalls).toBeLessThanOrEqual(2 * SHARD_COUNT * rounds);
});
