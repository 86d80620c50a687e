/** Many pages of large messages at once don't make Redis cut the connection that pushes come over. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { durableChannel, json } from '../support/broker-kit.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type StandaloneServers, startRedis, until } from '../support/redis-servers.js';

const MESSAGE_BYTES = 1024 * 1024;
const READERS = 40;

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
  await servers.node.client.config('SET', 'client-output-buffer-limit', 'pubsub 8mb 4mb 60');
});
afterAll(() => servers?.stop());

it('forty pages of a megabyte are read over a connection of which Redis keeps eight, and pushes come', async () => {
  const broker = createRedisBroker({ url: servers.url, clock: systemClock, maxMessageBytes: MESSAGE_BYTES });
  onTestFinished(() => broker.close());
  await broker.start();
  const channel = durableChannel();
  await broker.publish(channel, [json('x'.repeat(MESSAGE_BYTES - 2))]);
  const other = durableChannel();
  let pushed = 0;
  let interruptions = 0;
  await broker.subscribe(other, {
    onRecord: () => pushed++,
    onInterrupted: () => interruptions++,
    onResumed() {},
    onDoubt() {},
  });
  const pages = Promise.all(
    Array.from({ length: READERS }, () => broker.read(channel, { last: true, limit: 10, maxBytes: 262_144 })),
  );
  await broker.publish(other, [json(1)]);
  expect((await pages).map(({ entries }) => entries.length)).toEqual(Array(READERS).fill(1));
  await until('the push', () => pushed === 1);
  expect(interruptions).toBe(0);
  expect(broker.stats?.()).toMatchObject({ lost: 0 });
});

it('a gateway does not start where a few of its largest messages would already be too much', async () => {
  const start = startGatewayProcess({
    settings: { REDIS_URL: servers.url, LIMIT_MESSAGE_BYTES: String(4 * MESSAGE_BYTES) },
  });
  await expect(start).rejects.toThrow(
    /client-output-buffer-limit of pubsub is 8388608 bytes; messages of 4194304 bytes/,
  );
});
