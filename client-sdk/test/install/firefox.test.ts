/** The packed SDK in a real Firefox: as it comes, with nothing that drives it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../../../gateway/test/support/redis-servers.js';
import { App, packSdk } from './app.js';

const MESSAGES = 600;
/** The page loads itself again when it has seen this one. */
const RELOAD_AT = 150;
/** Its gateway is killed when it has seen this one. */
const KILL_AT = 300;

let tarball: string;
let app: App;
let redis: StandaloneServers;
let gateway: GatewayProcess;
/** It takes the publishes while the other one is dead. */
let other: GatewayProcess;
let page: Server;
let firefox: ChildProcess | undefined;
const profile = mkdtempSync(path.join(tmpdir(), 'fanfare-firefox-'));
const told: { at?: number; seen?: number[]; loads?: number; error?: string }[] = [];

const settings = () => ({ REDIS_URL: redis.url });

beforeAll(async () => {
  tarball = packSdk();
  app = new App(tarball);
  redis = await startRedis();
  [gateway, other] = await Promise.all([
    startGatewayProcess({ settings: settings() }),
    startGatewayProcess({ settings: settings() }),
  ]);
  const stdin = { contents: program(gateway.wsUrl), resolveDir: app.folder };
  const { outputFiles } = await build({ stdin, bundle: true, format: 'iife', platform: 'browser', write: false });
  page = createServer(async (request, response) => {
    if (request.method !== 'POST') {
      const script = outputFiles[0]?.text.replaceAll('</script', '<\\/script');
      response
        .setHeader('content-type', 'text/html')
        .end(`<!doctype html><meta charset="utf-8"><script>${script}</script>`);
      return;
    }
    told.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.end();
  });
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
});
afterAll(async () => {
  if (firefox?.exitCode === null) {
    firefox.kill('SIGKILL');
    await once(firefox, 'exit');
  }
  page?.closeAllConnections();
  page?.close();
  await Promise.all([gateway?.stop(), other?.stop()]);
  await redis?.stop();
  app?.remove();
  for (const folder of [path.dirname(tarball), profile]) rmSync(folder, { recursive: true, force: true });
});

/** A page that goes on after a reload where it was, and tells what it saw. */
function program(url: string): string {
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
    const subscription = client.channel('demo:firefox').subscribe(({ data }) => {
      seen.push(data);
      store('seen', seen);
      if (data === ${RELOAD_AT}) setTimeout(() => location.reload());
      if (data === ${KILL_AT}) tell({ at: data });
      if (data === ${MESSAGES}) tell({ seen, loads: stored('loads') });
    }, { resumeAs: 'page' });
    subscription.ready().then(() => tell({ at: 0 }), (error) => tell({ error: String(error) }));`;
}

it('a page goes on after a reload and after its gateway was killed: all of it, once, in order', async () => {
  const { port } = page.address() as AddressInfo;
  firefox = spawn('firefox-esr', ['--headless', '--no-remote', '--profile', profile, `http://127.0.0.1:${port}/`], {
    env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' },
    stdio: 'ignore',
  });
  const patience = { timeout: 90_000, interval: 50 };
  await expect.poll(() => told, patience).toContainEqual({ at: 0 });
  const publishing = (async () => {
    for (let n = 1; n <= MESSAGES; n++) {
      expect(await other.publish({ channel: 'demo:firefox', data: n })).toMatchObject({ status: 200 });
      await delay(5);
    }
  })();
  await expect.poll(() => told, patience).toContainEqual({ at: KILL_AT });
  await gateway.signal('SIGKILL');
  await delay(500);
  gateway = await startGatewayProcess({ port: gateway.port, settings: settings() });
  await publishing;
  await expect.poll(() => told.at(-1), patience).toHaveProperty('seen');
  expect(told.at(-1)).toEqual({ seen: Array.from({ length: MESSAGES }, (_, index) => index + 1), loads: 2 });
  expect(told.filter(({ error }) => error !== undefined)).toEqual([]);
});
