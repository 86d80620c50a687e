/** The packed SDK in a real Firefox and a real WebKit, the engine of Safari: as they come, with nothing that drives them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../../../gateway/test/support/redis-servers.js';
import { App, packSdk } from './app.js';

const MESSAGES = 600;
/** The page loads itself again when it has seen this one. */
const RELOAD_AT = 150;
/** Its gateway is killed when it has seen this one. */
const KILL_AT = 300;

interface BrowserProgram {
  readonly name: string;
  /** Program and arguments. `profile` is an empty folder. */
  command(url: string, profile: string): string[];
}

const BROWSERS: BrowserProgram[] = [
  {
    name: 'Firefox',
    command: (url, profile) => ['firefox-esr', '--headless', '--no-remote', '--profile', profile, url],
  },
  {
    // Debian has no program of that name in the path, but one for each version of its interface.
    name: 'WebKit',
    command: (url) => ['xvfb-run', '-a', 'sh', '-c', 'exec /usr/lib/*/webkit2gtk-4.*/MiniBrowser --private "$0"', url],
  },
];

/** What a page told: how far it is, what it saw in all, or what went wrong. */
interface Told {
  readonly at?: number;
  readonly seen?: number[];
  readonly loads?: number;
  readonly error?: string;
}

let tarball: string;
let app: App;
let redis: StandaloneServers;
/** It takes the publishes while the gateway of the page is dead. */
let other: GatewayProcess;

const settings = () => ({ REDIS_URL: redis.url });

beforeAll(async () => {
  tarball = packSdk();
  app = new App(tarball);
  redis = await startRedis();
  other = await startGatewayProcess({ settings: settings() });
});
afterAll(async () => {
  await other?.stop();
  await redis?.stop();
  app?.remove();
  rmSync(path.dirname(tarball), { recursive: true, force: true });
});

/** A page that goes on after a reload where it was, and tells what it saw. */
function program(url: string, channel: string): string {
  return `
    import { createClient } from '@fanfare/client';
    import { sessionPositions } from '@fanfare/client/positions';
    const tell = (what) => fetch('/told', { method: 'POST', body: JSON.stringify(what) });
    const stored = (name) => JSON.parse(sessionStorage.getItem(name) ?? 'null');
    const store = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));
    const seen = stored('seen') ?? [];
    store('loads', (stored('loads') ?? 0) + 1);
    const client = createClient({ url: '${url}', positions: sessionPositions() });
    client.on('error', (error) => tell({ error: String(error) }));
    client.connect();
    const subscription = client.channel('${channel}').subscribe(({ data }) => {
      seen.push(data);
      store('seen', seen);
      if (data === ${RELOAD_AT}) setTimeout(() => location.reload());
      if (data === ${KILL_AT}) tell({ at: data });
      if (data === ${MESSAGES}) tell({ seen, loads: stored('loads') });
    }, { resumeAs: 'page' });
    subscription.ready().then(() => tell({ at: 0 }), (error) => tell({ error: String(error) }));`;
}

/** Serves the page, and keeps what it tells. */
async function servePage(gatewayUrl: string, channel: string) {
  const stdin = { contents: program(gatewayUrl, channel), resolveDir: app.folder };
  const { outputFiles } = await build({ stdin, bundle: true, format: 'iife', platform: 'browser', write: false });
  const script = outputFiles[0]?.text.replaceAll('</script', '<\\/script');
  const told: Told[] = [];
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') {
      const html = `<!doctype html><meta charset="utf-8"><script>${script}</script>`;
      response.setHeader('content-type', 'text/html').end(html);
      return;
    }
    told.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Starts a browser. It is ended with the test, and everything that it started. */
function open({ command }: BrowserProgram, url: string): void {
  const profile = mkdtempSync(path.join(tmpdir(), 'fanfare-browser-'));
  const [program, ...args] = command(url, profile) as [string, ...string[]];
  const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' };
  const browser = spawn(program, args, { env, stdio: 'ignore', detached: true });
  onTestFinished(async () => {
    if (browser.exitCode === null) {
      process.kill(-(browser.pid as number), 'SIGKILL');
      await once(browser, 'exit');
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
}

it.each(BROWSERS)('a page in $name goes on after a reload and after its gateway was killed', async (browser) => {
  const channel = `demo:${browser.name}`;
  let gateway = await startGatewayProcess({ settings: settings() });
  onTestFinished(() => gateway.stop());
  const { told, url } = await servePage(gateway.wsUrl, channel);
  open(browser, url);
  const patience = { timeout: 90_000, interval: 50 };
  await expect.poll(() => told, patience).toContainEqual({ at: 0 });
  const publishing = (async () => {
    for (let n = 1; n <= MESSAGES; n++) {
      expect(await other.publish({ channel, data: n })).toMatchObject({ status: 200 });
      await delay(5);
    }
  })();
  await expect.poll(() => told, patience).toContainEqual({ at: KILL_AT });
  await gateway.signal('SIGKILL');
  await delay(500);
  gateway = await startGatewayProcess({ port: gateway.port, settings: settings() });
  await publishing;
  await expect.poll(() => told.at(-1), patience).toHaveProperty('seen');
  // All of them, once, in order.
  expect(told.at(-1)).toEqual({ seen: Array.from({ length: MESSAGES }, (_, index) => index + 1), loads: 2 });
  expect(told.filter(({ error }) => error !== undefined)).toEqual([]);
});
