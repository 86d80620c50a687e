import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { CLEAN, type Ledger, RedisLoad } from '../support/redis-load.js';
import {
  type ClusterServers,
  type RedisNode,
  type RedisServers,
  startCluster,
  startSentinel,
  until,
} from '../support/redis-servers.js';

let servers: RedisServers | undefined;
const subscribers: RedisSubscriber[] = [];

afterEach(async () => {
  for (const subscriber of subscribers.splice(0)) subscriber.close();
  await servers?.stop();
});

async function subscribeTo(started: RedisServers): Promise<RedisSubscriber> {
  const subscriber = new RedisSubscriber({ target: parseRedisUrl(started.url), clock: systemClock });
  subscribers.push(subscriber);
  await subscriber.start();
  return subscriber;
}

async function onCluster(): Promise<[ClusterServers, RedisSubscriber, RedisLoad]> {
  const started = await startCluster({ appendonly: true });
  servers = started;
  const subscriber = await subscribeTo(started);
  const load = new RedisLoad(subscriber, started.nodes, { channels: 30 });
  await load.start();
  await delay(500);
  return [started, subscriber, load];
}

/** Asynchronous replication may lose the last writes; then, and only then, is anybody told `diverged`. */
function expectHonest(ledger: Ledger): void {
  expect(ledger).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, phantoms: 0 });
  expect(Object.keys(ledger.resets).filter((reason) => reason !== 'diverged')).toEqual([]);
  if (ledger.lostByLog === 0) expect(ledger.resets).toEqual({});
}

const isLost = (one: RedisSubscriber) => one.health().some(({ state }) => state === 'lost');
const serves = (one: RedisSubscriber, node: RedisNode) =>
  one.health().some(({ shard, state }) => shard === `127.0.0.1:${node.port}` && state === 'ok');

async function isMaster(node: RedisNode): Promise<boolean> {
  return (await node.client.info('replication')).includes('role:master');
}

/** When one of these became master, and which. */
async function promotion(replicas: readonly RedisNode[]): Promise<[RedisNode, number]> {
  let promoted: RedisNode | undefined;
  await until(
    'a replica is promoted',
    async () => {
      for (const replica of replicas) if (await isMaster(replica)) promoted = replica;
      return promoted !== undefined;
    },
    60_000,
  );
  return [promoted as RedisNode, Date.now()];
}

async function report(what: string, one: RedisSubscriber, promoted: RedisNode, promotedAt: number): Promise<void> {
  await until('shards are ok', () => !isLost(one) && serves(one, promoted));
  console.log(`${what}: subscribed again ${Date.now() - promotedAt} ms after the promotion`);
}

describe('failover in a cluster', () => {
  it('follows when a master freezes, and does not fall for it when it thaws and is demoted', async () => {
    const [cluster, one, load] = await onCluster();
    const master = cluster.nodes[0] as RedisNode;
    const replicas = await cluster.replicasOf(master);
    const frozenAt = Date.now();
    master.pause();
    await until('noticed', () => isLost(one) || !serves(one, master));
    console.log(`cluster master frozen: noticed after ${Date.now() - frozenAt} ms`);
    const [promoted, promotedAt] = await promotion(replicas);
    await report('cluster master frozen', one, promoted, promotedAt);
    await load.live();
    const lostBefore = one.stats.lost;
    master.resume();
    await until('demoted', async () => !(await isMaster(master)));
    await delay(2_000);
    await load.live();
    expect(one.stats.lost).toBe(lostBefore);
    expect(one.health().map(({ shard }) => shard)).not.toContain(`127.0.0.1:${master.port}`);
    const ledger = await load.stop();
    console.log('cluster, freeze and thaw:', ledger);
    expectHonest(ledger);
  });

  it('follows when a master is killed', async () => {
    const [cluster, one, load] = await onCluster();
    const master = cluster.nodes[1] as RedisNode;
    const replicas = await cluster.replicasOf(master);
    await master.kill9();
    const [promoted, promotedAt] = await promotion(replicas);
    await report('cluster master killed', one, promoted, promotedAt);
    await load.live();
    const ledger = await load.stop();
    console.log('cluster, kill -9:', ledger);
    expectHonest(ledger);
  });

  it('tells those who saw it, and only those, what the promotion lost', async () => {
    const [cluster, one, load] = await onCluster();
    const master = cluster.nodes[0] as RedisNode;
    const replicas = await cluster.replicasOf(master);
    // Replication is blocked; publishes go on being acknowledged.
    await master.client.call('ACL', 'SETUSER', 'default', '-psync', '-sync', '-replconf');
    await master.client.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await load.live(); // with what its replica does not have
    await master.kill9();
    const [promoted, promotedAt] = await promotion(replicas);
    await report('replication blocked', one, promoted, promotedAt);
    await load.live();
    const concerned = load.followers.filter(({ calls }) => calls.includes('interrupted')).length;
    const ledger = await load.stop();
    console.log('replication blocked:', ledger);
    expectHonest(ledger);
    expect(ledger.lostByLog).toBeGreaterThan(0);
    expect(Object.keys(ledger.resets)).toEqual(['diverged']);
    expect(ledger.resets.diverged).toBeLessThanOrEqual(concerned);
    expect(concerned).toBeLessThan(30);
  });

  it('misses nothing of a planned failover, and back', async () => {
    const [cluster, one, load] = await onCluster();
    const master = cluster.nodes[2] as RedisNode;
    const [replica] = (await cluster.replicasOf(master)) as [RedisNode];
    await cluster.promote(replica);
    await report('planned failover', one, replica, Date.now());
    await load.live();
    await until('in sync', async () => (await master.client.info('replication')).includes('master_link_status:up'));
    await cluster.promote(master);
    await report('and back', one, master, Date.now());
    await load.live();
    const ledger = await load.stop();
    console.log('planned failover, and back:', ledger);
    expect(ledger).toMatchObject(CLEAN);
  });

  it('harms only the channels of the shard that is down, and says which', async () => {
    const started = await startCluster({ replicas: 0, config: { 'cluster-require-full-coverage': 'no' } });
    servers = started;
    const one = await subscribeTo(started);
    const load = new RedisLoad(one, started.nodes, { channels: 30 });
    await load.start();
    const master = started.nodes[0] as RedisNode;
    await master.kill9();
    await until('noticed', () => isLost(one));
    await delay(1_000);
    const health = one.health();
    expect(health.filter(({ state }) => state === 'ok')).toHaveLength(2);
    expect(health.find(({ state }) => state === 'lost')).toMatchObject({ shard: `127.0.0.1:${master.port}` });
    const interrupted = load.followers.filter(({ calls }) => calls.length > 0);
    expect(interrupted.length).toBeGreaterThan(0);
    expect(interrupted.length).toBeLessThan(30);
    await master.restart();
    await load.live();
    const ledger = await load.stop();
    expect(ledger).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
    expect(ledger.resets).toEqual({ unrecoverable: interrupted.length });
  });
});

describe('failover by sentinels', () => {
  it.each([
    ['freezes', (node: RedisNode) => node.pause()],
    ['is killed', (node: RedisNode) => node.kill9()],
  ])('follows when the master %s', async (what, fail) => {
    // As docs recommend: a deposed master that does not know it yet refuses writes.
    const config = { 'min-replicas-to-write': '1', 'min-replicas-max-lag': '2' };
    const started = await startSentinel({ replicas: 2, appendonly: true, config });
    servers = started;
    const one = await subscribeTo(started);
    const load = new RedisLoad(one, started.nodes, { channels: 20 });
    await load.start();
    await delay(500);
    const master = await started.master();
    const replicas = started.nodes.filter((node) => node !== master);
    await fail(master);
    const failedAt = Date.now();
    await until('noticed', () => isLost(one) || !serves(one, master));
    console.log(`sentinel, the master ${what}: noticed after ${Date.now() - failedAt} ms`);
    const [promoted] = await promotion(replicas);
    await until('the sentinels say so', async () => (await started.master()) === promoted);
    const promotedAt = Date.now();
    await report(`sentinel, the master ${what}`, one, promoted, promotedAt);
    await load.live();
    if (what === 'freezes') {
      master.resume();
      await until('demoted', async () => !(await isMaster(master)));
    } else await master.restart();
    await delay(1_000);
    expect(one.health()).toEqual([{ shard: `127.0.0.1:${promoted.port}`, state: 'ok' }]);
    await load.live();
    const ledger = await load.stop();
    console.log(`sentinel, the master ${what}:`, ledger);
    expectHonest(ledger);
  });

  it('does not start on a name that the sentinels do not know', async () => {
    const started = await startSentinel({ replicas: 0 });
    servers = started;
    const target = parseRedisUrl(started.url.replace(/\/[^/]+$/, '/nobody'));
    const one = new RedisSubscriber({ target, clock: systemClock, timings: { startMs: 3_000 } });
    await expect(one.start()).rejects.toThrow(/watches no master "nobody"/);
  });
});
