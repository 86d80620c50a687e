/** The identity of a log, on which the positions of its members rest, lasts as long as they stay. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { channelKeys } from '../../src/redis/keys.js';
import { delay, durableChannel, json, publishOne } from '../support/broker-kit.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

const HEAD = { last: true, limit: 0 } as const;
const deaf = { onRecord() {}, onInterrupted() {}, onResumed() {}, onDoubt() {} };

/** A broker whose clock can be put forward. */
async function startBroker() {
  let aheadMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const broker = createRedisBroker({ url: servers.url, clock });
  onTestFinished(() => broker.close());
  await broker.start();
  return {
    broker,
    putForward: (ms: number) => {
      aheadMs += ms;
    },
  };
}

it('outlasts a history that is shorter than the time between two renewals', async () => {
  const { broker } = await startBroker();
  const channel = durableChannel({ historyTtlMs: 1000 });
  await broker.subscribe(channel, deaf);
  const { head } = await broker.read(channel, HEAD);
  await delay(1300);
  expect(await publishOne(broker, channel, json('first'))).toEqual({ epoch: head.epoch, offset: 1 });
});

it('is renewed well before it would end', async () => {
  const { broker, putForward } = await startBroker();
  const channel = durableChannel({ historyTtlMs: 1000 });
  const { meta } = channelKeys(channel.name);
  await broker.subscribe(channel, deaf);
  await broker.read(channel, HEAD);
  const lifeMs = await servers.node.client.pttl(meta);
  await servers.node.client.pexpire(meta, Math.round(lifeMs / 2));
  putForward(Math.round(lifeMs / 2));
  await broker.read(channel, HEAD);
  expect(await servers.node.client.pttl(meta)).toBeGreaterThan(0.9 * lifeMs);
});

it('is renewed by the next read where one failed', async () => {
  const { broker } = await startBroker();
  const channel = durableChannel();
  const { log, meta } = channelKeys(channel.name);
  await broker.subscribe(channel, deaf);
  await servers.node.client.set(log, 'no stream');
  await expect(broker.read(channel, HEAD)).rejects.toThrow();
  await servers.node.client.del(log);
  await publishOne(broker, channel, json(1));
  await servers.node.client.pexpire(meta, 10_000);
  await broker.read(channel, HEAD);
  expect(await servers.node.client.pttl(meta)).toBeGreaterThan(20_000);
});

it('is not renewed where writes are refused, which keeps nobody from reading', async () => {
  const { broker } = await startBroker();
  const channel = durableChannel();
  await publishOne(broker, channel, json(1));
  await servers.node.client.config('SET', 'min-replicas-to-write', '1');
  onTestFinished(async () => {
    await servers.node.client.config('SET', 'min-replicas-to-write', '0');
  });
  await broker.subscribe(channel, deaf);
  expect((await broker.read(channel, HEAD)).head.offset).toBe(1);
});
