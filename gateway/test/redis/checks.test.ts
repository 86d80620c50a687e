import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { checkRedis } from '../../src/broker/redis/checks.js';
import { systemClock } from '../../src/clock.js';
import { durableChannel, json, publishOne } from '../support/broker-kit.js';
import { createRedisBroker } from '../support/redis-broker.js';
import {
  type ServerOptions,
  type StandaloneServers,
  startCluster,
  startRedis,
  startSentinel,
} from '../support/redis-servers.js';

const MARKER = 'ff:{s0}:shards';
/** For a broker that is going to serve, ms: one that is refused waits in vain for all of it. */
const PATIENT_MS = 20_000;

/** Starts a broker; its failure, after `startMs`, or `undefined` if it can serve. */
async function startFailure(url: string, startMs = 1_500): Promise<Error | undefined> {
  const broker = createRedisBroker({ url, clock: systemClock, timings: { startMs } });
  try {
    await broker.start();
    await publishOne(broker, durableChannel(), json(1));
    return undefined;
  } catch (error) {
    return error as Error;
  } finally {
    await broker.close();
  }
}

async function serversFor(options: ServerOptions & { replicas?: number } = {}): Promise<StandaloneServers> {
  const servers = await startRedis(options);
  onTestFinished(() => servers.stop());
  return servers;
}

async function linesOf(url: string, level: string): Promise<string[]> {
  return (await checkRedis(url)).filter((line) => line.level === level).map(({ text }) => text);
}

describe('a standalone server', () => {
  let servers: StandaloneServers;
  beforeAll(async () => {
    servers = await startRedis();
  });
  afterAll(() => servers?.stop());

  it('that is fit is fit, for the start and for the check', async () => {
    expect(await linesOf(servers.url, 'error')).toEqual([]);
    expect(await startFailure(servers.url, PATIENT_MS)).toBeUndefined();
  });

  it('with another eviction policy is refused', async () => {
    await servers.node.client.config('SET', 'maxmemory-policy', 'volatile-lru');
    const line = expect.stringContaining('maxmemory-policy is volatile-lru; it must be noeviction');
    expect(await linesOf(servers.url, 'error')).toEqual([line]);
    expect((await startFailure(servers.url))?.message).toEqual(line);
    await servers.node.client.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it('keeps the shard count of its first gateway, and refuses another one', async () => {
    await servers.node.client.del(MARKER);
    await linesOf(servers.url, 'error');
    expect(await servers.node.client.get(MARKER)).toBeNull();
    expect(await startFailure(servers.url, PATIENT_MS)).toBeUndefined();
    expect(await servers.node.client.get(MARKER)).toBe('256');
    await servers.node.client.set(MARKER, 64);
    const line = expect.stringContaining('says 64 virtual shards, this gateway has 256');
    expect(await linesOf(servers.url, 'error')).toEqual([line]);
    expect((await startFailure(servers.url))?.message).toEqual(line);
    expect(await servers.node.client.get(MARKER)).toBe('64');
    await servers.node.client.del(MARKER);
  });

  it('is refused where scripts may not do what they must', async () => {
    const { client, port } = servers.node;
    const denials = { info: 'INFO', spublish: 'SPUBLISH' };
    for (const [denied, name] of Object.entries(denials)) {
      await client.call('ACL', 'SETUSER', denied, 'on', '>pass', '~*', '&*', '+@all', `-${denied}`);
      const url = `redis://${denied}:pass@127.0.0.1:${port}`;
      const line = denied === 'info' ? expect.any(String) : expect.stringContaining(`scripts may not call ${name}`);
      expect(await linesOf(url, 'error')).toEqual([line]);
      expect(await startFailure(url)).toBeInstanceOf(Error);
    }
  });

  it.each([
    ['has too few replicas', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0']],
    ['is out of memory', ['maxmemory', '1'], ['maxmemory', '0']],
  ])('that %s for now keeps no gateway from starting', async (_, trouble, cure) => {
    const { client } = servers.node;
    const warnings: object[] = [];
    const logger = { info() {}, warn: (fields: object) => void warnings.push(fields) };
    const start = async () => {
      const broker = createRedisBroker({ url: servers.url, clock: systemClock, logger });
      onTestFinished(() => broker.close());
      await broker.start();
    };
    await client.set(MARKER, 256);
    await client.call('CONFIG', 'SET', ...trouble);
    onTestFinished(async () => {
      await client.call('CONFIG', 'SET', ...cure);
    });
    await start();
    expect(warnings).toEqual([]);
    expect(await linesOf(servers.url, 'error')).toEqual([]);
    await client.call('CONFIG', 'SET', ...cure);
    await client.del(MARKER);
    await client.call('CONFIG', 'SET', ...trouble);
    await start();
    expect(warnings).toEqual([{ finding: expect.stringMatching(/shards cannot be used now.*(NOREPLICAS|OOM)/) }]);
  });

  it('that wants a password says so, and no message shows the one that was given', async () => {
    const locked = await serversFor();
    await locked.node.client.config('SET', 'requirepass', 'right');
    const port = locked.node.port;
    for (const url of [`redis://127.0.0.1:${port}`, `redis://:wrong@127.0.0.1:${port}`]) {
      const [line] = await linesOf(url, 'error');
      expect(line).toMatch(/NOAUTH|WRONGPASS/);
      expect(line).not.toContain('wrong@');
      expect((await startFailure(url))?.message).toMatch(/NOAUTH|WRONGPASS/);
    }
    expect(await startFailure(`redis://:right@127.0.0.1:${port}`, PATIENT_MS)).toBeUndefined();
    expect(await startFailure(`redis://default:right@127.0.0.1:${port}/3`, PATIENT_MS)).toBeUndefined();
  });

  it('that does not have the database is refused', async () => {
    const line = expect.stringContaining('DB index is out of range');
    expect(await linesOf(`${servers.url}/99`, 'error')).toEqual([line]);
    expect((await startFailure(`${servers.url}/99`))?.message).toEqual(line);
  });

  it('that does not answer is one line', async () => {
    const [line, ...others] = await linesOf('redis://127.0.0.1:1', 'error');
    expect(line).toContain('127.0.0.1:1');
    expect(others).toEqual([]);
    expect((await startFailure('redis://127.0.0.1:1'))?.message).toContain('127.0.0.1:1');
  });

  it('that is a replica is refused', async () => {
    const pair = await serversFor({ replicas: 1 });
    const url = pair.replicas[0]?.url as string;
    expect(await linesOf(url, 'error')).toContainEqual(expect.stringContaining('is a replica; name the master'));
    expect((await startFailure(url))?.message).toMatch(/replica/);
  });
});

it('gives advice on what would lose less, and none where it is followed', async () => {
  const bare = await serversFor({ replicas: 1 });
  const advice = await linesOf(bare.url, 'advice');
  for (const word of ['appendonly', 'maxmemory', 'min-replicas-to-write', 'client-output-buffer-limit']) {
    expect(advice).toContainEqual(expect.stringContaining(word));
  }
  const careful = await serversFor({
    replicas: 1,
    appendonly: true,
    config: {
      maxmemory: '100mb',
      'min-replicas-to-write': '1',
      'client-output-buffer-limit': 'pubsub 256mb 64mb 60',
    },
  });
  expect(await linesOf(careful.url, 'advice')).toEqual([]);
});

it('looks at every master of a cluster', async () => {
  const cluster = await startCluster({ replicas: 0 });
  onTestFinished(() => cluster.stop());
  expect(await linesOf(cluster.url, 'error')).toEqual([]);
  expect(await linesOf(cluster.url, 'advice')).toContainEqual(expect.stringContaining('cluster-require-full-coverage'));
  const last = cluster.nodes[2];
  await last?.client.config('SET', 'maxmemory-policy', 'allkeys-lfu');
  const line = expect.stringContaining(`127.0.0.1:${last?.port}: maxmemory-policy is allkeys-lfu`);
  expect(await linesOf(cluster.url, 'error')).toEqual([line]);
  expect((await startFailure(cluster.url))?.message).toEqual(line);
});

it('finds the master that sentinels watch', async () => {
  const sentinel = await startSentinel();
  onTestFinished(() => sentinel.stop());
  expect(await linesOf(sentinel.url, 'error')).toEqual([]);
  expect(await startFailure(sentinel.url, PATIENT_MS)).toBeUndefined();
  const other = sentinel.url.replace('/main', '/other');
  expect(await linesOf(other, 'error')).toEqual([expect.stringContaining('watches no master "other"')]);
});
