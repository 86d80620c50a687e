import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { checkRedis } from '../../src/broker/redis/checks.js';
import { RedisPublisher } from '../../src/broker/redis/publish/publisher.js';
import { systemClock } from '../../src/clock.js';
import { RedisDeployment } from '../../src/redis/deployment.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { durableChannel, json, publishOne, range } from '../support/broker-kit.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type RedisNode, startCluster, startRedis, startSentinel, until } from '../support/redis-servers.js';

type Said = [level: string, message: string, reply?: string];

function logOf(said: Said[]) {
  const say = (level: string) => (fields: { reply?: string }, message: string) => {
    said.push(fields.reply === undefined ? [level, message] : [level, message, fields.reply]);
  };
  return { info: say('info'), warn: say('warn') };
}

const REFUSALS: readonly [
  word: string,
  why: string,
  trouble: (node: RedisNode) => unknown,
  cure: (node: RedisNode) => unknown,
][] = [
  [
    'OOM',
    'its memory is full',
    ({ client }) => client.config('SET', 'maxmemory', '1'),
    ({ client }) => client.config('SET', 'maxmemory', '0'),
  ],
  [
    'NOREPLICAS',
    'too few replicas are in sync',
    ({ client }) => client.config('SET', 'min-replicas-to-write', '1'),
    ({ client }) => client.config('SET', 'min-replicas-to-write', '0'),
  ],
  [
    'MISCONF',
    'it cannot save to its disk',
    async ({ client, dir }) => {
      // A folder stands where the file has to go.
      mkdirSync(path.join(dir, 'dump.rdb/folder'), { recursive: true });
      await client.config('SET', 'save', '3600 1');
      await client.bgsave();
      await until('it failed to save', async () =>
        (await client.info('persistence')).includes('rdb_last_bgsave_status:err'),
      );
    },
    ({ client }) => client.config('SET', 'save', ''),
  ],
];

it.each(REFUSALS)(
  '%s is told in the answer, in health, once in the log and by reason, until it is over',
  async (word, why, trouble, cure) => {
    const { node, url, stop } = await startRedis();
    onTestFinished(stop);
    const said: Said[] = [];
    const broker = createRedisBroker({ url, clock: systemClock, logger: logOf(said), timings: { giveUpMs: 1_500 } });
    onTestFinished(() => broker.close());
    await broker.start();
    await publishOne(broker, durableChannel(), json(1));
    await trouble(node);
    const outcomes = await Promise.all(range(1, 3).map(() => broker.publish(durableChannel(), [json(2)])));
    for (const [outcome] of outcomes) {
      expect(outcome).toMatchObject({
        code: 'unavailable',
        message: `the channel cannot be published to now: Redis refuses writes, ${why} (${word})`,
      });
    }
    const shard = `127.0.0.1:${node.port}`;
    expect(broker.health()).toEqual([
      { shard, state: 'ok', detail: expect.stringMatching(new RegExp(`^refuses writes: ${word} `)) },
    ]);
    expect(broker.refusals?.()[word.toLowerCase()]).toBeGreaterThanOrEqual(3);
    // Nobody publishes any more; that it is over is found out all the same.
    await cure(node);
    await until('it is over', () => broker.health()[0]?.detail === undefined);
    await publishOne(broker, durableChannel(), json(3));
    const told = said.filter(([, message]) => message.includes('writes'));
    expect(told).toEqual([
      ['warn', 'redis refuses writes', expect.stringContaining(word)],
      ['info', 'redis takes writes again'],
    ]);
  },
);

it('a gateway says in ready and metrics, and in its log, that its Redis takes no writes', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: redis.url } });
  onTestFinished(() => gateway.stop());
  const { client } = redis.node;
  await client.config('SET', 'maxmemory', '1');
  const publishing = gateway.publish({ channel: 'demo:a', data: 1 });
  const ready = async () => (await fetch(`${gateway.httpUrl}/health/ready`)).text();
  await until('ready tells', async () => /refuses writes: OOM/.test(await ready()));
  const metrics = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  expect(metrics).toMatch(/^fanfare_broker_refusals_total\{reason="oom",.*\} [1-9]/m);
  await until('the log tells', () => /redis refuses writes/.test(gateway.output()));
  await client.config('SET', 'maxmemory', '0');
  expect((await publishing).status).toBe(200);
  await until('ready tells', async () => !/refuses writes/.test(await ready()));
});

it('READONLY, of a master that was demoted, is counted by reason too', async () => {
  const { node, url, stop } = await startRedis();
  const other = await startRedis();
  onTestFinished(async () => {
    await stop();
    await other.stop();
  });
  const broker = createRedisBroker({ url, clock: systemClock, timings: { giveUpMs: 1_500 } });
  onTestFinished(() => broker.close());
  await broker.start();
  const channel = durableChannel();
  await publishOne(broker, channel, json(1));
  await node.client.replicaof('127.0.0.1', other.node.port);
  const isRefused = async () => {
    const [outcome] = await broker.publish(channel, [json(2)]);
    expect(outcome).toMatchObject({ code: 'unavailable' });
    return (broker.refusals?.().readonly ?? 0) > 0;
  };
  await until('it was refused', isRefused);
  await node.client.replicaof('NO', 'ONE');
  // It may take longer than a publish is tried until the broker has seen that it is a master again.
  await until(
    'it is published to again',
    async () => !((await broker.publish(channel, [json(3)]))[0] instanceof Error),
  );
});

it('a cluster named as one server is refused at start and by the check, which say how to name it', async () => {
  const cluster = await startCluster({ replicas: 0 });
  onTestFinished(() => cluster.stop());
  const url = `redis://127.0.0.1:${cluster.nodes[0]?.port}`;
  const line = expect.stringContaining('is a node of a Redis Cluster; name it as redis+cluster://host:port');
  const errors = (await checkRedis(url)).filter(({ level }) => level === 'error');
  expect(errors).toEqual([{ level: 'error', text: line }]);
  await expect(startGatewayProcess({ settings: { REDIS_URL: url } })).rejects.toMatchObject({
    message: expect.stringMatching(/is a node of a Redis Cluster; name it as redis\+cluster:\/\//),
  });
});

it('a sentinel named as a server is refused by the check, which says how to name it', async () => {
  const servers = await startSentinel({ sentinels: 1, replicas: 0 });
  onTestFinished(() => servers.stop());
  const url = `redis://127.0.0.1:${servers.sentinels[0]?.port}`;
  const errors = (await checkRedis(url)).filter(({ level }) => level === 'error');
  expect(errors).toEqual([
    {
      level: 'error',
      text: expect.stringContaining('is a sentinel; name it as redis+sentinel://host:port/master-name'),
    },
  ]);
});

it('what turns out to shard inside is published to slot by slot from then on', async () => {
  // One node that serves all slots: to a client that takes it for one server it is what a proxy before a cluster is.
  const cluster = await startCluster({ masters: 1, replicas: 0 });
  onTestFinished(() => cluster.stop());
  const { port } = cluster.nodes[0] as RedisNode;
  const deployment = new RedisDeployment({ target: parseRedisUrl(`redis://127.0.0.1:${port}`), clock: systemClock });
  const said: Said[] = [];
  const { topology, routes } = deployment;
  const publisher = new RedisPublisher({
    clock: systemClock,
    topology,
    routes,
    idempotencyMs: 60_000,
    isCluster: false,
    log: logOf(said),
  });
  const wake = () => publisher.wake();
  deployment.join({ onView: wake, onUp: wake });
  deployment.start();
  onTestFinished(() => {
    publisher.close();
    deployment.close();
  });
  const redis = new Redis(port);
  onTestFinished(() => redis.disconnect());
  const publishAll = () => Promise.all(range(1, 100).map(() => publisher.publish(durableChannel(), [json(1)])));
  const refusals = () => deployment.refusals.counts.crossslot;
  for (const [outcome] of await publishAll()) expect(outcome).toMatchObject({ position: { offset: 1 } });
  const seen = refusals();
  expect(seen).toBeGreaterThan(0);
  for (const [outcome] of await publishAll()) expect(outcome).toMatchObject({ position: { offset: 1 } });
  expect(refusals()).toBe(seen);
  expect(said).toEqual([['warn', expect.stringContaining('slot by slot')]]);
});
