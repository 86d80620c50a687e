/** A gateway that may not open as many files as it has visitors. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startProcess } from '../support/program.js';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare.mjs', import.meta.url));
const PATIENCE = { timeout: 60_000 };
const VISITORS = 300;

/** Of the process, user and system, in ticks of 10 ms (proc(5)). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

it.each(['uws', 'ws'])(
  'refuses over %s what it cannot hold, says so once, stays calm, and goes on',
  async (transport) => {
    const limited = `ulimit -n 150; exec ${process.execPath} ${PROGRAM} serve --port 0 --transport ${transport}`;
    const gateway = await startProcess(['bash', '-c', limited], {
      FANFARE_MODE: 'production',
      FANFARE_HOST: '127.0.0.1',
      FANFARE_API_KEYS: 'k',
      FANFARE_STOP_DELAY_MS: '0',
    });
    await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('"listening"');
    const port = Number(/"url":"[^"]*:(\d+)"/.exec(gateway.output.stdout)?.[1]);
    const lines = (text: string) => gateway.output.stdout.split('\n').filter((line) => line.includes(text));
    const warned = [expect.stringContaining('"configured":100000')];
    await expect.poll(() => lines('fewer connections are possible')).toEqual(warned);

    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await once(client, 'open');
    const closed = once(client, 'close').then(() => 'closed');
    const sockets: Socket[] = Array.from({ length: VISITORS }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await expect.poll(() => lines('connections are refused').length, PATIENCE).toBe(1);
    const isShut = () => sockets.filter(({ closed }) => closed).length;
    await expect.poll(isShut, PATIENCE).toBeGreaterThan(VISITORS - 150);

    // Those whom it lets in, and those whom it refuses, cost it next to nothing from now on.
    const before = cpuTicks(gateway.child.pid as number);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(cpuTicks(gateway.child.pid as number) - before).toBeLessThan(30);
    expect(await Promise.race([closed, 'open'])).toBe('open');

    for (const socket of sockets) socket.destroy();
    await expect.poll(() => lines('connections are taken again').length, PATIENCE).toBe(1);
    const next = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await once(next, 'open');
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(Number(/^fanfare_connections_refused_total{.*} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(VISITORS - 150);
    expect(lines('connections are refused')).toHaveLength(1);
    for (const socket of [client, next]) socket.terminate();
  },
);

/** What a gateway in production says at its start about the connections that it may have, by `ulimit -n`. */
async function saidAtStart(files: number, connections: number): Promise<Record<string, unknown> | undefined> {
  const limited = `ulimit -n ${files}; exec ${process.execPath} ${PROGRAM} serve --port 0 --limit-connections ${connections}`;
  const gateway = await startProcess(['bash', '-c', limited], {
    FANFARE_MODE: 'production',
    FANFARE_HOST: '127.0.0.1',
    FANFARE_API_KEYS: 'k',
    FANFARE_STOP_DELAY_MS: '0',
  });
  await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('"listening"');
  const line = gateway.output.stdout.split('\n').find((one) => one.includes('fewer connections are possible'));
  gateway.child.kill('SIGKILL');
  return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>);
}

it('says at its start where fewer connections are possible than configured, and which limit would do', async () => {
  const said = await saidAtStart(1_000, 900);
  expect(said).toMatchObject({ level: 'warn', limit: 1_000, configured: 900 });
  const { needed, connections } = said as { needed: number; connections: number };
  // A process may have some more files open at its start than the one before.
  expect(await saidAtStart(needed + 10, 900)).toBeUndefined();
  expect(await saidAtStart(needed - 20, 900)).toBeDefined();
  expect(await saidAtStart(1_000, connections - 10)).toBeUndefined();
  expect(await saidAtStart(1_000, 0)).toBeUndefined();
});

it('keeps some connections for HTTP: a WebSocket is told that there are too many, health checks get through', async () => {
  const gateway = await startProcess(
    ['bash', '-c', `ulimit -n 150; exec ${process.execPath} ${PROGRAM} serve --port 0`],
    {},
  );
  await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('listening');
  const port = Number(/url=\S*:(\d+)/.exec(gateway.output.stdout)?.[1]);
  const sockets: WebSocket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.terminate();
  });
  let status: number | undefined;
  while (status === undefined) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`).on('error', () => {});
    sockets.push(socket);
    status = await Promise.race([
      once(socket, 'open').then(() => undefined),
      once(socket, 'unexpected-response').then(([, response]: { statusCode: number }[]) => response?.statusCode),
    ]);
  }
  expect(status).toBe(503);
  expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
  await expect.poll(() => gateway.output.stdout.match(/connections are refused/g)).toHaveLength(1);
});
