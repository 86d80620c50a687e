/** What docs/WEBHOOKS.md promises of bad days: a day of trying, a bounded queue, two secrets at once, resets told. */
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { shardOf } from '../../src/redis/keys.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const DAY_MS = 86_400_000;
const inTime = { timeout: 60_000 };
const secretOf = (letter: string) => `whsec_${Buffer.alloc(32, letter).toString('base64')}`;

interface Told {
  readonly type: string;
  readonly channel: string;
  readonly data?: unknown;
}

/** An application that knows one secret. `status` is what it answers; `events`, of what it took. */
async function startApplication(letter = 'k') {
  const application = { status: 200, events: [] as Told[], forgeries: 0, refusals: 0, url: '' };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures } = request.headers;
      const own = createHmac('sha256', Buffer.alloc(32, letter)).update(`${id}.${time}.${body}`).digest('base64');
      if (!String(signatures).split(' ').includes(`v1,${own}`)) application.forgeries++;
      if (application.status === 200) application.events.push(...(JSON.parse(body) as { events: Told[] }).events);
      else application.refusals++;
      response.writeHead(application.status).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  application.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return application;
}

let redis: StandaloneServers;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

async function startGateway(url: string, settings: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    settings: {
      REDIS_URL: redis.url,
      WEBHOOKS_URL: url,
      WEBHOOKS_SECRET: secretOf('k'),
      WEBHOOKS_EVENTS: 'message.published,channel.reset',
      ...settings,
    },
  });
  onTestFinished(() => gateway.stop());
  return gateway;
}

async function connect({ port }: GatewayProcess): Promise<FrameClient> {
  const client = await FrameClient.open(port);
  onTestFinished(() => client.close());
  return client;
}

const deadLetters = async () =>
  (await promisify(execFile)(process.execPath, [PROGRAM, 'webhooks', 'list', '--redis-url', redis.url])).stdout;
const dataOf = ({ events }: { readonly events: readonly Told[] }) => events.map(({ data }) => data);

it('an application that is down is tried for a day: what is older is given up, and nothing else', async () => {
  const application = await startApplication();
  application.status = 503;
  const channel = 'demo:day';
  const queue = `ff:{s${shardOf(channel)}}:w`;
  const add = (ageMs: number, data: string) => {
    const event = JSON.stringify({ type: 'message.published', channel, time: Date.now() - ageMs, data });
    return redis.node.client.xadd(queue, `${Date.now() - ageMs}-0`, 'e', event);
  };
  await add(DAY_MS + 60_000, 'older than a day');
  await add(DAY_MS - 60_000, 'nearly a day old');
  await add(1_000, 'new');
  await startGateway(application.url);
  await expect.poll(deadLetters, { ...inTime, interval: 1_000 }).toContain('older than a day');
  application.status = 200;
  await expect.poll(() => dataOf(application), inTime).toEqual(['nearly a day old', 'new']);
  expect(await deadLetters()).not.toMatch(/nearly|new/);
});

it.each([
  ['Redis', 256],
  ['the embedded broker', 100],
])('no more than maxQueued events wait on %s, and the newest are kept', async (broker, most) => {
  const application = await startApplication();
  application.status = 503;
  const settings = { WEBHOOKS_MAX_QUEUED: '100', ...(broker === 'Redis' ? {} : { REDIS_URL: '' }) };
  const gateway = await startGateway(application.url, settings);
  const client = await connect(gateway);
  for (let n = 1; n <= 600; n++) client.send({ type: 'publish', id: n + 1, channel: 'demo:many', data: n });
  await client.until(({ id }) => id === 601);
  await expect.poll(() => application.refusals, inTime).toBeGreaterThan(0);
  application.status = 200;
  await expect.poll(() => dataOf(application).at(-1), inTime).toBe(600);
  const told = dataOf(application) as number[];
  // The first ones may have been on their way already. Redis trims whole nodes of its stream.
  const kept = told.filter((n) => n > 300);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 601 - kept.length + i));
  expect(told.length).toBeLessThanOrEqual(most + 100);
});

it('with two secrets an application that knows either of them verifies what it is told', async () => {
  for (const letter of ['o', 'n']) {
    const application = await startApplication(letter);
    const gateway = await startGateway(application.url, { WEBHOOKS_SECRET: `${secretOf('n')},${secretOf('o')}` });
    const client = await connect(gateway);
    await client.ask({ type: 'publish', channel: `demo:secrets-${letter}`, data: letter });
    await expect.poll(() => dataOf(application), inTime).toEqual([letter]);
    expect(application.forgeries).toBe(0);
  }
  const stranger = await startApplication('x');
  const gateway = await startGateway(stranger.url);
  await (await connect(gateway)).ask({ type: 'publish', channel: 'demo:secrets-x', data: 'x' });
  await expect.poll(() => stranger.forgeries, inTime).toBeGreaterThan(0);
});

it('clients that were told a reset are told of', async () => {
  const application = await startApplication();
  const gateway = await startGateway(application.url, { NODE: 'n1' });
  const clients = [await connect(gateway), await connect(gateway)];
  for (const client of clients) {
    await client.ask({ type: 'subscribe', channel: 'demo:reset' });
    await client.ask({ type: 'publish', channel: 'demo:reset', data: 1 });
  }
  const shard = `ff:{s${shardOf('demo:reset')}}`;
  await redis.node.client.del(`${shard}:l:demo:reset`, `${shard}:m:demo:reset`);
  await gateway.publish({ channel: 'demo:reset', data: 2 });
  const told = await clients[0]?.until(({ type }) => type === 'reset');
  const { reason, epoch, offset } = told ?? {};
  await expect
    .poll(() => application.events.filter(({ type }) => type === 'channel.reset'), inTime)
    .toEqual([expect.objectContaining({ channel: 'demo:reset', reason, epoch, offset, clients: 2, node: 'n1' })]);
});
