import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Broker, ChannelSpec } from '../../src/broker/broker.js';
import { systemClock } from '../../src/clock.js';
import { delay, durableChannel, json, liveChannel, payloadValue, publishOne } from '../support/broker-kit.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

async function startBroker(db: number): Promise<Broker> {
  const broker = createRedisBroker({ url: `${servers.url}/${db}`, clock: systemClock });
  onTestFinished(() => broker.close());
  await broker.start();
  return broker;
}

async function listenTo(broker: Broker, channel: ChannelSpec): Promise<unknown[]> {
  const heard: unknown[] = [];
  const onRecord = (record: Parameters<typeof payloadValue>[0]) => void heard.push(payloadValue(record));
  await broker.subscribe(channel, { onRecord, onInterrupted() {}, onResumed() {}, onDoubt() {} });
  return heard;
}

it('deployments on two databases of one server hear only themselves', async () => {
  const brokers = await Promise.all([0, 1, 2].map(startBroker));
  for (const channel of [durableChannel(), liveChannel()]) {
    const heard = await Promise.all(brokers.map((broker) => listenTo(broker, channel)));
    for (const [db, broker] of brokers.entries()) await broker.publish(channel, [json(db)]);
    await expect.poll(() => heard.every((values) => values.length > 0)).toBe(true);
    await delay(50);
    expect(heard).toEqual([[0], [1], [2]]);
  }
});

it('keeps what is published in its own database', async () => {
  const channel = durableChannel();
  const [zero, one] = [await startBroker(0), await startBroker(1)];
  await publishOne(one, channel, json('a'));
  expect((await one.read(channel, { last: true, limit: 1 })).head.offset).toBe(1);
  expect((await zero.read(channel, { last: true, limit: 1 })).head.offset).toBe(0);
});
