/** What becomes of a gateway whose log cannot be written: a shell arranges it as an operator would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { FrameClient } from '../support/frame-client.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { freePort, type StandaloneServers, startRedis } from '../support/redis-servers.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const PATIENCE = { timeout: 60_000 };

let redis: StandaloneServers;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** Runs shell text in a process group of its own, in which `$FANFARE` is the program. */
async function shell(text: string, env: Readonly<Record<string, string>> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), 'fanfare-log-'));
  const child = spawn('bash', ['-c', text], {
    cwd,
    detached: true,
    env: { PATH: process.env.PATH ?? '', FANFARE: `${process.execPath} ${PROGRAM}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
    });
  }
  const closed = once(child, 'close') as Promise<[number | null]>;
  onTestFinished(async () => {
    if (child.exitCode === null) process.kill(-(child.pid as number), 'SIGKILL');
    await closed;
    await rm(cwd, { recursive: true });
  });
  return { output, closed };
}

async function isReady(url: string): Promise<number> {
  return (await fetch(`${url}/health/ready`).catch(() => ({ status: 0 }))).status;
}

async function linesLost(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^fanfare_log_lines_lost_total{[^}]*} (\d+)$/m.exec(text)?.[1]);
}

it.each([
  ['the reader of its pipe is gone', '$FANFARE serve | head -n 1', '1'],
  ['the reader of its pipe is gone, with workers', '$FANFARE serve | head -n 1', '2'],
  ['the disk is full', '$FANFARE serve > /dev/full', '1'],
  ['neither stream can be written', '$FANFARE serve > /dev/full 2>&1', '1'],
])('serve keeps its clients though %s', async (_, text, workers) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await shell(text, {
    FANFARE_PORT: String(port),
    FANFARE_REDIS_URL: redis.url,
    FANFARE_WORKERS: workers,
  });
  await expect.poll(() => isReady(url), PATIENCE).toBe(200);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await once(socket, 'open');
  const closed = once(socket, 'close').then(([code]: number[]) => `closed ${code}`);

  // A lost Redis is told on the log, by every process.
  await redis.node.kill9();
  await expect.poll(() => isReady(url), PATIENCE).toBe(503);
  await expect.poll(() => linesLost(url), PATIENCE).toBeGreaterThan(0);
  await redis.node.restart();
  await expect.poll(() => isReady(url), PATIENCE).toBe(200);
  expect(await Promise.race([closed, 'open'])).toBe('open');
  socket.terminate();
});

it('commands whose reader has had enough end quietly, and say so where the results are lost', async () => {
  const gateway = await startGatewayProcess();
  onTestFinished(() => gateway.stop());
  for (const n of [1, 2, 3]) expect((await gateway.publish({ channel: 'demo:log', data: n })).status).toBe(200);
  const env = { FANFARE_URL: gateway.httpUrl };

  const tail = await shell(
    'set -o pipefail; $FANFARE tail demo:log --rewind 1 2> log | head -n 1; echo $?; cat log',
    env,
  );
  await expect.poll(() => tail.output.stdout, PATIENCE).toContain('"data":3');
  // The reader is gone, which is noticed with the next message.
  await gateway.publish({ channel: 'demo:log', data: 4 });
  await tail.closed;
  expect(tail.output.stdout).toMatch(/^\{.*"data":3.*\}\n0\n\(connecting\)\n\(connected\)\n$/);

  const full = await shell('$FANFARE tail demo:log --rewind 1 > /dev/full', env);
  expect(await full.closed).toEqual([1, null]);
  expect(full.output.stderr).toContain('fanfare: cannot write: ENOSPC');

  const large = await shell('$FANFARE tail demo:log --rewind 3 --count 3 | (sleep 0.5; cat)', env);
  expect(await large.closed).toEqual([0, null]);
  expect(large.output.stdout.match(/"data"/g)).toHaveLength(3);
});

it('tells one line a connection, when it is over, at debug only', async () => {
  const lines = (output: string) => output.split('\n').filter((line) => line.includes('connection closed'));
  const gateways = await Promise.all(
    ['debug', 'info'].map(async (level) => {
      const gateway = await startGatewayProcess({ settings: { LOG_LEVEL: level } });
      onTestFinished(() => gateway.stop());
      const client = await FrameClient.open(gateway.port);
      const session = String(client.frames[0]?.session);
      await client.ask({ type: 'subscribe', channel: 'demo:a' });
      await client.ask({ type: 'publish', channel: 'demo:a', data: 1 });
      await client.close();
      const silent = new WebSocket(gateway.wsUrl);
      silent.once('open', () => silent.send('no frame'));
      await once(silent, 'close');
      return { gateway, session };
    }),
  );
  const [debug, info] = gateways;
  await expect.poll(() => lines(debug?.gateway.output() ?? '').length).toBe(2);
  const [first, second] = lines(debug?.gateway.output() ?? '');
  expect(first).toMatch(
    new RegExp(
      `debug connection closed session=${debug?.session} address=127.0.0.1 via=ws dialect=json code=\\d+ durationMs=\\d+$`,
    ),
  );
  expect(second).toContain('code=4400');
  expect(lines(info?.gateway.output() ?? '')).toEqual([]);
});
