/** Webhooks from outside: real gateways, a real Redis, an application that answers, refuses, hangs and is down. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, it, type TestContext } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type RedisServers, startCluster, startRedis } from '../support/redis-servers.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const EVENTS = 'channel.occupied,channel.vacated,member.joined,member.left,message.published';

async function receiver({ onTestFinished }: TestContext): Promise<WebhookReceiver> {
  const application = await startWebhookReceiver();
  onTestFinished(() => application.stop());
  return application;
}

async function startGateway(
  { onTestFinished }: TestContext,
  { url, secret }: WebhookReceiver,
  redis: RedisServers | undefined,
  more: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    settings: {
      ...(redis && { REDIS_URL: redis.url }),
      WEBHOOKS_URL: url,
      WEBHOOKS_SECRET: secret,
      WEBHOOKS_EVENTS: EVENTS,
      ...more,
    },
  });
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** A client that subscribes as a member. */
async function join(
  { expect, onTestFinished }: TestContext,
  { wsUrl }: GatewayProcess,
  ...channels: string[]
): Promise<WebSocket> {
  const socket = new WebSocket(wsUrl);
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let answers = 0;
  socket.on('message', (data) => {
    answers += ([JSON.parse(String(data))].flat() as { id?: number }[]).filter(({ id }) => id !== undefined).length;
  });
  socket.send('{"type":"connect","id":1}');
  for (const [i, channel] of channels.entries()) {
    socket.send(JSON.stringify({ type: 'subscribe', id: i + 2, channel, presence: true }));
  }
  await expect.poll(() => answers, { timeout: 15_000 }).toBe(channels.length + 1);
  return socket;
}

/** Of an event that came twice, by the same id, because its answer was not heard in time, the first. */
const typesOn = ({ events }: WebhookReceiver, channel: string) =>
  [...new Map(events.map((event) => [event.id, event])).values()]
    .filter((event) => event.channel === channel)
    .map(({ type }) => type);

const inTime = { timeout: 60_000 };

describe.concurrent.each([
  ['the embedded broker', async () => undefined],
  ['Redis', () => startRedis()],
  ['a cluster', () => startCluster({ replicas: 0 })],
])('webhooks over %s', (_name, start) => {
  it('tell who came, what was published and who left, in order, signed', async (test) => {
    const { expect, onTestFinished } = test;
    const redis = await start();
    if (redis) onTestFinished(() => redis.stop());
    const application = await receiver(test);
    const gateway = await startGateway(test, application, redis);
    const socket = await join(test, gateway, 'demo:a', 'demo:b');
    socket.send('{"type":"publish","id":9,"channel":"demo:a","data":{"n":1},"tags":{"t":"1"}}');
    await expect.poll(() => typesOn(application, 'demo:a'), inTime).toContain('message.published');
    socket.close();
    await expect.poll(() => typesOn(application, 'demo:a'), inTime).toContain('channel.vacated');
    expect(typesOn(application, 'demo:a').filter((type) => type.startsWith('channel.'))).toEqual([
      'channel.occupied',
      'channel.vacated',
    ]);
    expect(typesOn(application, 'demo:a').filter((type) => !type.startsWith('channel.'))).toEqual([
      'member.joined',
      'message.published',
      'member.left',
    ]);
    const published = application.events.find(({ type }) => type === 'message.published');
    expect(published).toMatchObject({ channel: 'demo:a', data: { n: 1 }, tags: { t: '1' }, offset: 1 });
    expect(application.forgeries).toBe(0);
    expect(new Set(application.events.map(({ id }) => id)).size).toBe(application.events.length);
  });
});

describe.concurrent('webhooks and an application in trouble', () => {
  it('what happened while it was down, or did not answer, is told once it is back, in order', async (test) => {
    const { expect, onTestFinished } = test;
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const application = await receiver(test);
    const gateway = await startGateway(test, application, redis, { WEBHOOKS_TIMEOUT_MS: '500ms' });
    const socket = await join(test, gateway, 'demo:a');
    await expect.poll(() => typesOn(application, 'demo:a').length, inTime).toBe(2);
    application.answer = 503;
    for (let n = 1; n <= 50; n++)
      socket.send(JSON.stringify({ type: 'publish', id: 9 + n, channel: 'demo:a', data: n }));
    await expect.poll(() => application.refusals, inTime).toBeGreaterThan(1);
    application.answer = () => new Promise((resolve) => setTimeout(resolve, 2_000, 200));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    application.answer = 200;
    const published = () => application.events.filter(({ type }) => type === 'message.published');
    // An answer that came too late was not heard: the event may come again, by the same id.
    const once = () => [...new Map(published().map((event) => [event.id, event.data])).values()];
    await expect.poll(() => once().length, inTime).toBe(50);
    expect(once()).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  it('a gateway that is killed leaves nothing untold: another one sends the rest', async (test) => {
    const { expect, onTestFinished } = test;
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const application = await receiver(test);
    application.answer = 503;
    const settings = { PRESENCE_LEASE_MS: '3000', WEBHOOKS_TIMEOUT_MS: '500ms' };
    const first = await startGateway(test, application, redis, settings);
    await join(test, first, 'demo:a', 'demo:b', 'demo:c');
    await expect.poll(() => application.refusals, inTime).toBeGreaterThan(0);
    const second = await startGateway(test, application, redis, settings);
    await first.signal('SIGKILL');
    application.answer = 200;
    for (const channel of ['demo:a', 'demo:b', 'demo:c']) {
      await expect
        .poll(() => [...typesOn(application, channel)].sort(), { timeout: 50_000 })
        .toEqual(['channel.occupied', 'channel.vacated', 'member.joined', 'member.left']);
    }
    await second.signal('SIGTERM');
    expect(await second.exited).toEqual([0, null]);
  });

  it('what it refuses for long becomes a dead letter, and can be sent again', async (test) => {
    const { expect, onTestFinished } = test;
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const application = await receiver(test);
    const gateway = await startGateway(test, application, redis, { WEBHOOKS_EVENTS: 'message.published' });
    application.answer = 422;
    const socket = await join(test, gateway, 'demo:a');
    socket.send('{"type":"publish","id":9,"channel":"demo:a","data":"first"}');
    const fanfare = async (...args: string[]) =>
      (
        await promisify(execFile)(process.execPath, [PROGRAM, 'webhooks', ...args, '--redis-url', redis.url])
      ).stdout.trim();
    await expect.poll(() => fanfare('list'), { timeout: 40_000, interval: 1_000 }).toContain('422');
    expect(await fanfare()).toContain('"data":"first"');
    application.answer = 200;
    // What comes behind it is told meanwhile.
    socket.send('{"type":"publish","id":10,"channel":"demo:a","data":"second"}');
    await expect.poll(() => application.events.map(({ data }) => data), inTime).toEqual(['second']);
    expect(await fanfare('replay')).toBe('1 put back into the queue');
    await expect.poll(() => application.events.map(({ data }) => data), inTime).toEqual(['second', 'first']);
    expect(await fanfare('list')).toBe('');
  });
});
