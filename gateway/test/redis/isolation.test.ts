/** One greedy client harms nobody else (P5), with Redis in the path. */
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

it('a client that asks for 75 MiB of history at once gets it, and costs nobody the subscribing connection', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: redis.url } });
  onTestFinished(() => gateway.stop());
  const data = 'x'.repeat(60_000);
  await gateway.publish({ messages: Array.from({ length: 10 }, () => ({ channel: 'demo:a', data })) });

  const socket = new WebSocket(gateway.wsUrl);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const answers: string[] = [];
  socket.on('message', (text) => {
    const { type } = JSON.parse(String(text)) as { type: string };
    if (type === 'history' || type === 'error') answers.push(type);
  });
  socket.send('{"type":"connect","id":1}');
  for (let id = 2; id < 302; id++) socket.send(`{"type":"history","id":${id},"channel":"demo:a","limit":1000}`);
  await expect.poll(() => answers.length, { timeout: 30_000 }).toBe(300);
  expect(new Set(answers)).toEqual(new Set(['history']));
  expect(gateway.output()).not.toContain('redis shard lost');
});
