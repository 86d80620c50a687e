import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { LogPage } from '../../src/broker/broker.js';
import type { SubscriberTimings } from '../../src/broker/redis/push/options.js';
import { systemClock } from '../../src/clock.js';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { durableChannel, payloadValue } from '../support/broker-kit.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { type RedisNode, type RedisServers, startCluster, startSentinel, until } from '../support/redis-servers.js';
import { ScriptPublisher } from '../support/script-publisher.js';

let servers: RedisServers | undefined;
let subscriber: RedisSubscriber | undefined;

afterEach(async () => {
  subscriber?.close();
  await servers?.stop();
});

async function subscribeTo(started: RedisServers, timings: Partial<SubscriberTimings> = {}) {
  servers = started;
  subscriber = new RedisSubscriber({ target: parseRedisUrl(started.url), clock: systemClock, timings });
  await subscriber.start();
  return subscriber;
}

/** One that looks so rarely that it still believes in a master which was deposed meanwhile. */
const DROWSY = { topologyPollMs: 600_000, heartbeatMs: 600_000, silenceMs: 600_000, readWaitMs: 300 };
const LAST = { last: true, limit: 1 } as const;
const unavailable = expect.objectContaining({ code: 'unavailable' });

/** What a read returns, once it does not fail. */
async function atLast(read: () => Promise<LogPage>): Promise<LogPage> {
  const pages: LogPage[] = [];
  await until('it is read', async () => {
    const page = await read().catch(() => undefined);
    if (page) pages.push(page);
    return page !== undefined;
  });
  return pages[0] as LogPage;
}

async function isMaster(node: RedisNode): Promise<boolean> {
  return (await node.client.info('replication')).includes('role:master');
}

describe('a gateway that still sees the old master', () => {
  it('is told by the sentinels before it confirms what that one says', async () => {
    const started = await startSentinel({ replicas: 1, config: { 'min-replicas-to-write': '0' } });
    const one = await subscribeTo(started, DROWSY);
    const channel = durableChannel();
    const master = await started.master();
    await new ScriptPublisher([master]).publish(channel, 'before', 'k1');
    const [replica] = started.nodes.filter((node) => node !== master) as [RedisNode];
    await until('replicated', async () => (await replica.client.dbsize()) === (await master.client.dbsize()));
    master.pause();
    await until('promoted', async () => (await started.master()) === replica);
    await new ScriptPublisher([replica]).publish(channel, 'after', 'k2');
    master.resume();
    expect((await one.read(channel, LAST)).entries.map(payloadValue)).toEqual(['before']); // it can't know
    const confirmed = await atLast(() => one.read(channel, { ...LAST, confirmed: true }));
    expect(confirmed.entries.map(payloadValue)).toEqual(['after']);
    expect(confirmed.lineage).toHaveLength(2);
    expect(one.health()).toEqual([{ shard: `127.0.0.1:${replica.port}`, state: 'ok' }]);
  });

  it('confirms nothing while it cannot ask the majority of a cluster', async () => {
    const started = await startCluster({ nodeTimeoutMs: 2000, appendonly: true, config: { appendfsync: 'always' } });
    servers = started;
    const channel = durableChannel();
    const master = await started.masterOf(slotOfShard(shardOf(channel.name)));
    const [replica] = (await started.replicasOf(master)) as [RedisNode];
    const publisher = new ScriptPublisher(started.nodes);
    await publisher.publish(channel, 'before', 'k1');
    await until('replicated', async () => (await replica.client.dbsize()) === (await master.client.dbsize()));
    await master.kill9();
    await until('promoted', () => isMaster(replica));
    await publisher.publish(channel, 'after', 'k2');
    const others = started.nodes.filter((node) => node !== master);
    for (const node of others) node.pause();
    await master.restart(); // alone, it believes for a while that it is the master still, and here for good
    await master.client.config('SET', 'cluster-node-timeout', '600000');
    const one = await subscribeTo(
      { ...started, url: `redis+cluster://127.0.0.1:${master.port}`, stop: () => started.stop() },
      { startMs: 500, readWaitMs: 300 },
    );
    expect((await atLast(() => one.read(channel, LAST))).entries.map(payloadValue)).toEqual(['before']);
    await expect(one.read(channel, { ...LAST, confirmed: true })).rejects.toEqual(unavailable);
    for (const node of others) node.resume();
    const confirmed = await atLast(() => one.read(channel, { ...LAST, confirmed: true }));
    expect(confirmed.entries.map(payloadValue)).toEqual(['after']);
  });
});

describe('the nodes of a cluster', () => {
  it('are found from one of them, and each is asked on one connection', async () => {
    const started = await startCluster();
    const [first] = started.nodes as [RedisNode];
    const one = await subscribeTo({
      ...started,
      url: `redis+cluster://127.0.0.1:${first.port}`,
      stop: () => started.stop(),
    });
    expect(one.health().map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    await delay(2_500);
    for (const node of started.nodes) {
      const list = String(await node.client.call('CLIENT', 'LIST', 'TYPE', 'normal'));
      const isMasterNode = await isMaster(node);
      // The test's own, the topology's, and on masters the one that subscribes.
      expect(list.trim().split('\n')).toHaveLength(isMasterNode ? 3 : 2);
    }
  });

  it('are all asked again after the only one known was down at the start', async () => {
    const started = await startCluster({ masters: 3, replicas: 0, config: { 'cluster-require-full-coverage': 'no' } });
    const [first, second] = started.nodes as [RedisNode, RedisNode];
    await first.kill9();
    const url = `redis+cluster://127.0.0.1:${first.port},127.0.0.1:${second.port}`;
    const one = await subscribeTo({ ...started, url, stop: () => started.stop() }, { startMs: 1_000 });
    await until('the others are up', () => one.health().filter(({ state }) => state === 'ok').length === 2);
    await first.restart();
    await until('all are up', () => one.health().every(({ state }) => state === 'ok'));
  });
});
