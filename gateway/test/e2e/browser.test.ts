/** The SDK in a real Chromium, against a real gateway and Redis: what pages go through, with exact counts. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { signToken } from '@fanfare/client/tokens';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const SECRET = 'the secret of browser tests, long enough';
const PATIENCE = { timeout: 60_000 };

const here = fileURLToPath(new URL('.', import.meta.url));
const server = createServer();
let pageUrl: string;
let redis: StandaloneServers;
let gateway: GatewayProcess;
let browser: Browser;

const start = (port = 0) =>
  startGatewayProcess({ port, settings: { REDIS_URL: redis.url, JWT_SECRET: SECRET, STOP_DELAY_MS: '0' } });

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '@fanfare/client';`, resolveDir: here },
    bundle: true,
    format: 'iife',
    globalName: 'Fanfare',
    platform: 'browser',
    write: false,
    tsconfigRaw: {},
  });
  const script = outputFiles[0]?.text.replaceAll('</script', '<\\/script');
  server.on('request', ({ url }, response) => {
    if (url === '/token') signToken({ key: SECRET, user: 'u1', expiresInS: 4 }).then((token) => response.end(token));
    else response.setHeader('content-type', 'text/html').end(`<!doctype html><script>${script}</script>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  pageUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  redis = await startRedis();
  [gateway, browser] = await Promise.all([start(), launchChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  await redis?.stop();
  server.close();
});

interface PageGlobals {
  readonly Fanfare: typeof import('@fanfare/client');
  seen: number[];
  tokens: number;
  events: string[];
  client: import('@fanfare/client').UntypedClient;
}

/** A page that reads the channel and keeps what it was given. */
async function aPage(channel: string, { url = gateway.wsUrl, token = false } = {}) {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(pageUrl);
  await page.evaluate(
    ([url, channel, token]) => {
      const page = globalThis as unknown as PageGlobals;
      Object.assign(page, { seen: [], tokens: 0, events: [] });
      const fetchToken = async () => {
        page.tokens++;
        return (await fetch('/token')).text();
      };
      page.client = page.Fanfare.createClient({
        url,
        ...(token && { token: fetchToken }),
        backoff: { baseMs: 100, maxMs: 1_000 },
      });
      page.client.on('state', ({ state }) => page.events.push(state));
      page.client.on('error', ({ code }) => page.events.push(code));
      page.client.connect();
      const subscription = page.client.channel<number>(channel).subscribe(({ data }) => page.seen.push(data));
      subscription.on('reset', ({ reason }) => page.events.push(reason));
      return subscription.ready();
    },
    [url, channel, token] as const,
  );
  const read = <Name extends 'seen' | 'events' | 'tokens'>(name: Name) =>
    page.evaluate((name) => (globalThis as unknown as PageGlobals)[name], name) as Promise<PageGlobals[Name]>;
  /** Everything to `last` was given, once and in order. */
  const hasAll = async (last: number) => {
    await expect.poll(async () => (await read('seen')).at(-1), PATIENCE).toBe(last);
    expect(await read('seen')).toEqual(Array.from({ length: last }, (_, n) => n + 1));
  };
  const becomes = (state: string) => expect.poll(async () => (await read('events')).at(-1), PATIENCE).toBe(state);
  return { page, context, read, hasAll, becomes };
}

async function publish(channel: string, from: number, to: number): Promise<void> {
  const messages = Array.from({ length: to - from + 1 }, (_, n) => ({ channel, data: from + n, key: `k${from + n}` }));
  const { body } = await gateway.publish({ messages });
  expect(JSON.stringify(body)).not.toContain('error');
}

/** Clients of the gateway. */
async function connections(): Promise<number> {
  const metrics = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  return Number(/^fanfare_connections\b\S* (\d+)$/m.exec(metrics)?.[1]);
}

/** What a page sees of being put into the background, and taken out of it: headless pages are always in front. */
async function setVisibility(page: Page, state: 'hidden' | 'visible'): Promise<void> {
  await page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

it('offline and online, by the browser’s own emulation', async () => {
  const channel = 'demo:offline';
  const { context, hasAll, becomes } = await aPage(channel);
  await publish(channel, 1, 5);
  await hasAll(5);
  await context.setOffline(true);
  await becomes('waiting');
  await publish(channel, 6, 20);
  await context.setOffline(false);
  await hasAll(20);
});

it('a network that goes dark: a publish shows it, is stored once, and nothing is lost', async () => {
  const channel = 'demo:dark';
  const proxy = await startTcpProxy(gateway.port);
  onTestFinished(() => proxy.close());
  const { page, hasAll } = await aPage(channel, { url: `ws://127.0.0.1:${proxy.port}/ws` });
  await publish(channel, 1, 5);
  await hasAll(5);
  proxy.goDark();
  await publish(channel, 6, 10);
  const { offset } = await page.evaluate(
    (channel) => (globalThis as unknown as PageGlobals).client.channel<number>(channel).publish(11),
    channel,
  );
  expect(offset).toBe(11);
  await hasAll(11);
  expect(proxy.accepted).toBe(2);
});

it('a token that expires while the page is in the background and its timers stand still', async () => {
  const channel = 'demo:hidden';
  const { page, read, hasAll, becomes } = await aPage(channel, { token: true });
  await publish(channel, 1, 2);
  await hasAll(2);
  const session = await page.context().newCDPSession(page);
  await setVisibility(page, 'hidden');
  await session.send('Debugger.enable');
  await session.send('Debugger.pause');
  // The gateway ends the connection when the token has expired.
  await expect.poll(() => connections(), PATIENCE).toBe(0);
  await publish(channel, 3, 9);
  await session.send('Debugger.disable');
  await setVisibility(page, 'visible');
  await hasAll(9);
  await becomes('connected');
  expect((await read('events')).filter((event) => event !== 'waiting' && event !== 'connecting')).toEqual([
    'connected',
    'token_expired',
    'connected',
  ]);
  expect(await read('tokens')).toBeLessThanOrEqual(4);
});

it('away and back, through the back/forward cache', async () => {
  const channel = 'demo:cache';
  const { page, read, hasAll, becomes } = await aPage(channel);
  await publish(channel, 1, 3);
  await hasAll(3);
  await page.evaluate(() => {
    addEventListener('pageshow', ({ persisted }) =>
      (globalThis as unknown as PageGlobals).events.push(`shown ${persisted}`),
    );
  });
  await page.goto(`${pageUrl}elsewhere`);
  await publish(channel, 4, 8);
  await page.goBack({ waitUntil: 'commit' });
  await hasAll(8);
  await becomes('connected');
  expect(await read('events')).toContain('shown true');
});

it('the gateway is killed and started again', async () => {
  const channel = 'demo:killed';
  const { hasAll, becomes } = await aPage(channel);
  await publish(channel, 1, 10);
  await hasAll(10);
  const { port } = gateway;
  await gateway.signal('SIGKILL');
  await becomes('waiting');
  gateway = await start(port);
  await publish(channel, 11, 30);
  await hasAll(30);
  await becomes('connected');
});

it('2,000 messages a second into a page that blocks for 3 s', async () => {
  const channel = 'demo:blocked';
  const { page, hasAll } = await aPage(channel);
  const blocked = page.evaluate(() => {
    const until = performance.now() + 3_000;
    while (performance.now() < until /* busy */);
  });
  for (let n = 0; n < 60; n++) {
    await publish(channel, n * 100 + 1, (n + 1) * 100);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await blocked;
  await hasAll(6_000);
});
