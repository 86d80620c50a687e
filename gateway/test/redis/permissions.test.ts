import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { checkRedis } from '../../src/broker/redis/checks.js';
import { PushLink } from '../../src/broker/redis/push/push-link.js';
import { systemClock } from '../../src/clock.js';
import { delay, durableChannel, json, liveChannel, payloadValue, publishOne } from '../support/broker-kit.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type RedisNode, type StandaloneServers, startCluster, startRedis } from '../support/redis-servers.js';

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

/** What docs/REDIS.md gives the user of a gateway. */
async function documentedRules(): Promise<string[]> {
  const text = await readFile(new URL('../../../docs/REDIS.md', import.meta.url), 'utf8');
  const command = /ACL SETUSER fanfare([^`]+)/.exec(text)?.[1] as string;
  return command.trim().split(/\s+/);
}

/** Creates a user with these rules, and more; the URL by which it logs in. */
async function userOf(node: RedisNode, name: string, ...more: string[]): Promise<string> {
  await node.client.call('ACL', 'SETUSER', name, 'reset', ...(await documentedRules()), ...more);
  return `redis://${name}:password@127.0.0.1:${node.port}`;
}

async function errorsOf(url: string): Promise<string[]> {
  return (await checkRedis(url)).filter(({ level }) => level === 'error').map(({ text }) => text);
}

/** Uses all that a broker can do. What members of a channel that stays were told. */
async function exercise(url: string): Promise<string[]> {
  const broker = createRedisBroker({ url, clock: systemClock });
  onTestFinished(() => broker.close());
  await broker.start();
  const told: string[] = [];
  const listener = {
    onRecord: (record: Parameters<typeof payloadValue>[0]) => void told.push(String(payloadValue(record))),
    onInterrupted: () => void told.push('interrupted'),
    onResumed: () => void told.push('resumed'),
    onDoubt() {},
  };
  const channel = durableChannel();
  await broker.subscribe(channel, listener);
  const live = liveChannel();
  await broker.subscribe(live, listener);
  await broker.read(channel, { last: true, limit: 1 });
  for (let i = 0; i < 3; i++) {
    const other = await broker.subscribe(durableChannel(), listener);
    await other.unsubscribe();
  }
  await publishOne(broker, channel, json('durable', { key: 'k' }));
  await publishOne(broker, channel, json('repeated', { key: 'k' }));
  await broker.publish(live, [json('live')]);
  await broker.publish(channel, [json('replicated')], { replicas: 'all' });
  await expect.poll(() => told).toContain('replicated');
  await delay(1_200); // a heartbeat
  const { entries } = await broker.read(channel, { after: { epoch: 0, offset: 0 }, limit: 10 });
  expect(entries.map(payloadValue)).toEqual(['durable', 'replicated']);
  return told.sort();
}

const ALL_WELL = ['durable', 'live', 'replicated'];

it('the documented permissions suffice', async () => {
  await servers.node.client.call('ACL', 'LOG', 'RESET');
  const url = await userOf(servers.node, 'fanfare');
  expect(await errorsOf(url)).toEqual([]);
  expect(await exercise(url)).toEqual(ALL_WELL);
  expect(await exercise((await userOf(servers.node, 'elsewhere', '+select')).concat('/1'))).toEqual(ALL_WELL);
  const denied = (await servers.node.client.call('ACL', 'LOG')) as unknown[][];
  expect(new Set(denied.map((entry) => entry[7]))).toEqual(new Set(['config|get'])); // by the check, and only that
});

it('they suffice in a cluster', async () => {
  const cluster = await startCluster({ masters: 2, replicas: 0 });
  onTestFinished(() => cluster.stop());
  for (const node of cluster.nodes) await userOf(node, 'fanfare');
  const url = cluster.url.replace('//', '//fanfare:password@');
  expect(await errorsOf(url)).toEqual([]);
  expect(await exercise(url)).toEqual(ALL_WELL);
});

it('what is missing is named in one line', async () => {
  for (const [name, rules, line] of [
    ['deaf', ['-sunsubscribe', '-ping'], /lacks permissions for PING, SUNSUBSCRIBE: NOPERM/],
    ['mute', ['-set', '-xadd', '-pexpire'], /lacks permissions for SET, XADD, PEXPIRE: NOPERM/],
    ['channels', ['resetchannels', '&other:*'], /lacks permissions for SSUBSCRIBE: NOPERM.*channels/],
  ] as const) {
    const url = await userOf(servers.node, name, ...rules);
    const lines = await errorsOf(url);
    expect(lines).toContainEqual(expect.stringMatching(line));
    const broker = createRedisBroker({ url, clock: systemClock });
    await expect(broker.start()).rejects.toThrow(/lacks permissions|may not call/);
  }
});

it('a connection that may not PING is not taken for one that is out of step', async () => {
  await userOf(servers.node, 'quiet', '-ping');
  const lost: string[] = [];
  const session = await PushLink.open(
    { host: '127.0.0.1', port: servers.node.port },
    {
      clock: systemClock,
      link: { username: 'quiet', password: 'password' },
      timings: { handshakeMs: 20_000, heartbeatMs: 60_000, silenceMs: 60_000 },
      maxMessageBytes: 65_536,
    },
    { onPush() {}, onGone() {}, onLost: (reason) => void lost.push(reason) },
  );
  onTestFinished(() => session.end());
  await session.subscribe(['ff:{s0}:c:a']);
  await session.unsubscribe(['ff:{s0}:c:a']);
  await session.redis.role();
  expect(lost).toEqual([]);
});
