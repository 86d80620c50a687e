import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RedisDeployment, type RedisDeploymentOptions } from '../../src/redis/deployment.js';
import { slotOfShard } from '../../src/redis/keys.js';
import { createScript } from '../../src/redis/script.js';
import type { CallOptions } from '../../src/redis/shard-commands.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { delay, range } from '../support/broker-kit.js';
import {
  type ClusterServers,
  type RedisNode,
  type RedisServers,
  type SentinelServers,
  startCluster,
  startRedis,
  startSentinel,
  until,
} from '../support/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../support/slot-move.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

/** Counts what it did under a key, and tells the count and what it was given. */
const count = createScript(`
local n = redis.call('INCR', KEYS[1])
return { n, ARGV[1] }`);
const SHARD = 7;
const key = `ff:{s${SHARD}}:test`;
const IDEMPOTENT: CallOptions = { isIdempotent: true };
const ONCE: CallOptions = { isIdempotent: false };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function served<Servers extends RedisServers>(servers: Servers): Servers {
  cleanUps.push(() => servers.stop());
  return servers;
}

function open(url: string, timings: RedisDeploymentOptions['timings'] = {}): RedisDeployment {
  const deployment = new RedisDeployment({ target: parseRedisUrl(url), clock: systemClock, timings });
  cleanUps.push(() => deployment.close());
  deployment.start();
  return deployment;
}

const run = ({ commands }: RedisDeployment, options = IDEMPOTENT, shard = SHARD): Promise<[number, Buffer]> =>
  commands.run(shard, count, [`ff:{s${shard}}:test`], ['text'], options) as Promise<[number, Buffer]>;

describe('on one server', () => {
  it('runs a script before anything is connected, and again after the server forgot it', async () => {
    const { node, url } = served(await startRedis());
    const deployment = open(url);
    expect(await run(deployment)).toEqual([1, Buffer.from('text')]);
    await node.client.script('FLUSH');
    expect((await run(deployment, ONCE))[0]).toBe(2);
    expect((await run(deployment, ONCE))[0]).toBe(3);
  });

  it('sends what is called in one turn together, each with its own answer', async () => {
    const { node, url } = served(await startRedis());
    const deployment = open(url);
    await run(deployment);
    const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await node.client.info('stats'))?.[1]);
    const before = await reads();
    const { commands } = deployment;
    const [wrong, ...replies] = await Promise.all([
      commands.send(SHARD, ['HGET', key, 'field'], IDEMPOTENT).catch((error: unknown) => error),
      ...range(1, 200).map((n) => commands.send(n, ['SET', `ff:{s${n}}:a`, n], IDEMPOTENT)),
    ]);
    expect(wrong).toMatchObject({ code: 'internal', cause: { message: expect.stringMatching(/^WRONGTYPE/) } });
    expect(new Set(replies.map(String))).toEqual(new Set(['OK']));
    expect((await reads()) - before).toBeLessThan(20);
    expect(await commands.send(200, ['GET', 'ff:{s200}:a'], IDEMPOTENT)).toEqual(Buffer.from('200'));
  });

  it('repeats what was cut off where that is harmless, and says so where it is not', async () => {
    const { node, url } = served(await startRedis());
    const proxy = await startTcpProxy(node.port);
    cleanUps.push(() => proxy.close());
    const deployment = open(url.replace(String(node.port), String(proxy.port)));
    await run(deployment);
    let cut = proxy.cutReplyTo(key);
    expect((await run(deployment))[0]).toBe(3);
    await cut;
    cut = proxy.cutReplyTo(key);
    await expect(run(deployment, ONCE)).rejects.toMatchObject({ code: 'outcome_unknown', retryable: false });
    await cut;
    expect(await node.client.get(key)).toBe('4');
  });

  it('ends at its deadline: not done where nothing was sent, unknown where no answer came', async () => {
    const { node, url } = served(await startRedis());
    const proxy = await startTcpProxy(node.port);
    cleanUps.push(() => proxy.close());
    const deployment = open(url.replace(String(node.port), String(proxy.port)));
    await run(deployment);
    const soon = { isIdempotent: true, deadlineMs: 300 };
    proxy.block();
    await delay(50);
    await expect(run(deployment, soon)).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
    proxy.open();
    expect((await run(deployment))[0]).toBe(2);
    node.pause();
    await expect(run(deployment, soon)).rejects.toMatchObject({ code: 'outcome_unknown' });
    node.resume();
    const unanswered = run(deployment, { isIdempotent: true, deadlineMs: 60_000 });
    deployment.close();
    await expect(unanswered).rejects.toMatchObject({ code: expect.stringMatching(/^(unavailable|outcome_unknown)$/) });
    await expect(run(deployment)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('waits while the server refuses, and is done when it does no more', async () => {
    const { node, url } = served(await startRedis());
    // It makes one attempt, so that none is on its way when the deadline comes.
    const once = open(url, { backoff: { minMs: 60_000, maxMs: 60_000 } });
    expect((await run(once))[0]).toBe(1);
    await node.client.config('SET', 'min-replicas-to-write', '1');
    await expect(run(once, { isIdempotent: false, deadlineMs: 3_000 })).rejects.toMatchObject({
      code: 'unavailable',
      cause: { message: expect.stringMatching(/^NOREPLICAS/) },
    });
    const waiting = run(open(url), ONCE);
    await delay(200);
    await node.client.config('SET', 'min-replicas-to-write', '0');
    expect((await waiting)[0]).toBe(2);
  });

  it('takes no key of another shard', async () => {
    const { url } = served(await startRedis());
    const { commands } = open(url);
    expect(() => commands.send(SHARD, ['GET', 'ff:{s70}:x'], IDEMPOTENT)).toThrow(RangeError);
  });
});

describe('in a cluster', () => {
  let cluster: ClusterServers;
  const slot = slotOfShard(SHARD);

  it('finds the master of each shard, and follows a slot through its move', async () => {
    cluster = served(await startCluster({ replicas: 0 }));
    const deployment = open(cluster.url);
    const first = await Promise.all(range(0, 255).map((shard) => run(deployment, ONCE, shard)));
    expect(first.map(([n]) => n)).toEqual(range(0, 255).map(() => 1));
    const other = `ff:{s${SHARD}}:other`;
    const both = createScript(`return { redis.call('INCR', KEYS[1]), redis.call('INCR', KEYS[2]) }`);
    const runBoth = () => deployment.commands.run(SHARD, both, [key, other], [], ONCE);
    expect(await runBoth()).toEqual([2, 1]);
    const move = await beginMove(cluster, slot);
    await moveKeys(move, (name) => name === key);
    // One key is here, one there: TRYAGAIN, until both are there.
    const waiting = runBoth();
    await delay(200);
    await moveKeys(move);
    expect(await waiting).toEqual([3, 2]); // by ASK, and the new server learns the script
    expect((await run(deployment, ONCE))[0]).toBe(4);
    await tellMoved(move.target, move);
    await tellMoved(move.source, move);
    expect((await run(deployment, ONCE))[0]).toBe(5); // by MOVED, before the topology knows
    const ownerKnown = () => deployment.topology.view?.owners.get(slot) === `127.0.0.1:${move.target.port}`;
    await until('the topology knows', ownerKnown);
    for (const { client } of cluster.nodes) await client.script('FLUSH');
    expect((await run(deployment, ONCE))[0]).toBe(6);
  });

  it('goes on after a failover; other shards notice nothing', async () => {
    cluster = served(await startCluster());
    const deployment = open(cluster.url);
    const master = await cluster.masterOf(slot);
    await run(deployment);
    const healthy = range(0, 255).find(
      (shard) => !deployment.topology.view?.owners.get(slotOfShard(shard))?.endsWith(`:${master.port}`),
    ) as number;
    await master.kill9();
    let isThrough = false;
    const through = run(deployment, { isIdempotent: true, deadlineMs: 60_000 }).finally(() => {
      isThrough = true;
    });
    expect((await run(deployment, ONCE, healthy))[0]).toBe(1);
    expect(isThrough).toBe(false);
    expect((await through)[0]).toBeGreaterThan(0);
    await until('most nodes have heard of it', async () => (await cluster.masterOf(slot)) !== master);
  });
});

it('follows sentinels to the new master', async () => {
  const servers: SentinelServers = served(await startSentinel());
  const deployment = open(servers.url);
  await run(deployment);
  const master: RedisNode = await servers.master();
  await until('the replica has it', async () => {
    const replica = servers.nodes.find((node) => node !== master);
    return (await replica?.client.get(key)) === '1';
  });
  await master.kill9();
  expect((await run(deployment, { isIdempotent: true, deadlineMs: 60_000 }))[0]).toBe(2);
  await until('most sentinels have heard of it', async () => (await servers.master()) !== master);
});
