/** What a gateway that stops leaves behind: nothing lost, nobody gone, an even stream of clients elsewhere. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient, type StateChange } from '@fanfare/client';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { presenceLeasesKey, shardOf } from '../../src/redis/keys.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const SECRET = 'a secret of more than thirty-two bytes';
let redis: StandaloneServers;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

async function start(settings: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: redis.url, ...settings } });
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** One port in front of those that are up: each connection goes to the next of them. */
async function startBalancer(ports: number[]) {
  let next = 0;
  const server = createServer((client) => {
    client.on('error', () => {});
    const port = ports[next++ % ports.length];
    if (port === undefined) return client.destroy();
    const upstream = connectTcp(port, '127.0.0.1');
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
    client.pipe(upstream).pipe(client);
    return undefined;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

it('a publish that waits for Redis is answered before its client is sent elsewhere', async () => {
  const gateway = await start();
  const client = await FrameClient.open(gateway.port);
  await redis.node.client.call('CLIENT', 'PAUSE', '1000', 'WRITE');
  const published = client.ask({ type: 'publish', channel: 'demo:last', data: 1 });
  await sleep(200);
  await gateway.signal('SIGTERM');
  expect(await published).toMatchObject({ type: 'published', offset: 1 });
  expect((await client.closed).code).toBe(4000);
  expect(await gateway.exited).toEqual([0, null]);
});

it('members are handed over without leave and join', async () => {
  const settings = { JWT_SECRET: SECRET, DRAIN_MS: '8s', PRESENCE_GRACE_MS: '1s', PRESENCE_LEASE_MS: '6000' };
  const [a, b] = await Promise.all([start(settings), start(settings)]);
  const channel = `demo:${randomUUID()}`;
  const join = async ({ port }: GatewayProcess, sub: string) => {
    const token = await new SignJWT({ sub }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET));
    const client = await FrameClient.open(port, { token });
    expect(await client.ask({ type: 'subscribe', channel, presence: true })).toMatchObject({ type: 'subscribed' });
    return client;
  };
  const watcher = await join(b, 'watcher');
  onTestFinished(() => watcher.close());
  const client = await join(a, 'ada');
  await watcher.until(({ type, member }) => type === 'join' && (member as { user: string }).user === 'ada');
  const told = watcher.frames.length;
  await a.signal('SIGTERM');
  expect((await client.closed).code).toBe(4000);
  expect(await a.exited).toEqual([0, null]);
  // Nobody clears them away while their clients may still wait to come back.
  const leases = await redis.node.client.hvals(presenceLeasesKey(shardOf(channel)));
  const remaining = Math.max(...leases.map((lease) => Number.parseInt(lease, 10) - Date.now()));
  expect(remaining).toBeGreaterThan(4_000);
  const back = await join(b, 'ada');
  onTestFinished(() => back.close());
  expect(await back.ask({ type: 'presence', channel })).toMatchObject({ count: 2 });
  const changes = watcher.frames.slice(told).filter(({ type }) => type === 'join' || type === 'leave');
  expect(changes).toEqual([]);
});

it('a rolling restart of two gateways under load loses nothing', async () => {
  const settings = { DRAIN_MS: '2s' };
  const gateways = await Promise.all([start(settings), start(settings)]);
  const ports = gateways.map(({ port }) => port);
  const port = await startBalancer(ports);
  const channel = `demo:${randomUUID()}`;
  const backsAt: number[] = [];
  const readers = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const client = createClient({ url: `ws://127.0.0.1:${port}/ws`, backoff: { baseMs: 50, maxMs: 200 } });
      onTestFinished(() => client.close());
      const codes: number[] = [];
      let isFirst = true;
      client.on('state', ({ state, ...change }: StateChange) => {
        if (state === 'waiting') codes.push((change as { code?: number }).code ?? 0);
        if (state === 'connected' && !isFirst) backsAt.push(Date.now());
        if (state === 'connected') isFirst = false;
      });
      client.connect();
      const seen: number[] = [];
      const subscription = client.channel<number>(channel).subscribe(({ data }) => void seen.push(data));
      await subscription.ready();
      return { client, seen, codes };
    }),
  );
  const publisher = createClient({ url: `ws://127.0.0.1:${port}/ws`, backoff: { baseMs: 50, maxMs: 200 } });
  onTestFinished(() => publisher.close());
  publisher.connect();
  const ledger: number[] = [];
  let isOver = false;
  const publishing = (async () => {
    for (let n = 0; !isOver; n++) {
      await publisher.channel<number>(channel).publish(n, { key: `k${n}` });
      ledger.push(n);
      await sleep(5);
    }
  })();
  for (const index of [0, 1]) {
    const gateway = gateways[index] as GatewayProcess;
    // A balancer that has noticed: nobody new is sent there.
    ports.splice(ports.indexOf(gateway.port), 1);
    const stoppedAt = Date.now();
    const before = backsAt.length;
    await gateway.signal('SIGTERM');
    expect(await gateway.exited).toEqual([0, null]);
    const heir = await start(settings);
    await sleep(Math.max(0, stoppedAt + 3_500 - Date.now()));
    ports.push(heir.port);
    const parts = new Map<number, number>();
    for (const at of backsAt.slice(before)) {
      const part = Math.floor((at - stoppedAt) / 500);
      parts.set(part, (parts.get(part) ?? 0) + 1);
    }
    const rate = [...parts].sort(([a], [b]) => a - b).map(([part, count]) => `${part * 500} ms: ${count}`);
    console.log(`reconnects, by half seconds after SIGTERM: ${rate.join(', ')}`);
  }
  isOver = true;
  await publishing;
  expect(ledger.length).toBeGreaterThan(50);
  for (const { seen } of readers) await expect.poll(() => seen, { timeout: 20_000 }).toEqual(ledger);
  for (const { client, codes } of readers) {
    expect(client.stats).toMatchObject({ gaps: 0, resets: 0 });
    expect(codes).toContain(4000);
  }
});

it('as process 1 of a container it ends in good order too', async () => {
  // `unshare` of util-linux: a process of its own namespace, in which it is number 1 and has no default signal handlers.
  const argv = ['--user', '--map-root-user', '--pid', '--fork', process.execPath, PROGRAM, 'serve'];
  const outer = spawn('unshare', argv, { env: { PATH: process.env.PATH, FANFARE_PORT: '0' }, stdio: 'pipe' });
  onTestFinished(() => void outer.kill('SIGKILL'));
  let output = '';
  for (const stream of [outer.stdout, outer.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const port = () => Number(/\burl=\S*:(\d+)/.exec(output)?.[1]);
  await expect.poll(port, { timeout: 20_000 }).toBeGreaterThan(0);
  const client = await FrameClient.open(port());
  const ended = once(outer, 'exit');
  const inner = Number(await readFile(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8'));
  expect(await readFile(`/proc/${inner}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t1$/m);
  process.kill(inner, 'SIGTERM');
  expect((await client.closed).code).toBe(4000);
  expect(await ended).toEqual([0, null]);
});
