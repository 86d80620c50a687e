import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { probePort } from '../../src/transport/listen-probe.js';
import { PortTakenError, type Transport } from '../../src/transport/transport.js';
import { loadUws } from '../../src/transport/uws.js';
import { closed } from '../support/closed.js';
import { type CreateTransport, serve, TEST_OPTIONS, textResponse, until } from '../support/transport-harness.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs a program that prints a port once it listens. */
async function runListener(
  args: readonly string[],
  onTestFinished: (callback: () => Promise<void>) => void,
): Promise<number> {
  const child = spawn(process.execPath, args, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => end(child));
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return Number(line.toString());
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A uWebSockets.js server of another process that answers every request with `other`. */
const uwsListener = (port: number, mode: 'shared' | 'exclusive') => `
  const uWS = require('uWebSockets.js');
  uWS.App().any('/*', (res) => res.end('other', true)).listen('127.0.0.1', ${port}, ${mode === 'shared' ? 0 : 1},
    (socket) => console.log(socket ? uWS.us_socket_local_port(socket) : -1));
`;

/** Texts that requests on connections of their own are answered with. */
async function askAround(port: number, times: number): Promise<Set<string>> {
  const answers = new Set<string>();
  for (let i = 0; i < times; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' } });
    answers.add(await answer.text());
  }
  return answers;
}

export function transportListeningCases(name: 'uws' | 'ws', create: CreateTransport): void {
  const make = (): Transport =>
    create(TEST_OPTIONS, {
      onUpgrade: () => ({ accept: false, status: 404, body: '' }),
      onRequest: () => ({ ...textResponse(200, 'mine'), headers: [['Connection', 'close']] }),
    });

  it('refuses a port where its own kind, or anything else, listens', async ({ onTestFinished }) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port: theirs } = other.address() as { port: number };
    const { port: ours } = await serve(create, onTestFinished);
    for (const port of [theirs, ours]) {
      const second = make();
      await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(PortTakenError);
      await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(`port ${port} on 127.0.0.1 is taken`);
      await second.close();
    }
  });

  // Where uWebSockets.js does not load, no process can hold a port with it.
  for (const mode of loadUws().addon ? (['exclusive', 'shared'] as const) : []) {
    it(`refuses a port that uWebSockets.js holds in another process (${mode})`, async ({ onTestFinished }) => {
      const port = await runListener(['-e', uwsListener(0, mode)], onTestFinished);
      const transport = make();
      await expect(transport.listen({ host: '127.0.0.1', port })).rejects.toThrow(PortTakenError);
      await transport.close();
    });
  }

  it('says it plainly when the address cannot be had', async () => {
    const transport = make();
    // TEST-NET-1 (RFC 5737) is no address of this machine.
    const failure = await transport.listen({ host: '192.0.2.1', port: 0 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(PortTakenError);
    await transport.close();
  });

  it('frees the port when it stops to listen; open sockets stay', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    server.transport.stopListening();
    server.transport.stopListening();
    await expect(server.connect()).rejects.toThrow();
    const successor = make();
    await successor.listen({ host: '127.0.0.1', port: server.port });
    expect(await askAround(server.port, 1)).toEqual(new Set(['mine']));
    session.socket.send('still here', false);
    expect(await client.nextText()).toBe('still here');
    await successor.close();
  });

  it('closes the connection that is one too many at once, and takes others once there is room', async ({
    onTestFinished,
  }) => {
    const seen: [open: number, isRefused: boolean][] = [];
    const server = await serve(create, onTestFinished, {
      options: { maxConnections: 8, onConnections: (open, isRefused) => seen.push([open, isRefused]) },
    });
    const { client, session } = await server.connect();
    expect(server.transport.isCrowded).toBe(false);
    const idle = Array.from({ length: 7 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    await until(() => seen.length === 8);
    expect(server.transport.isCrowded).toBe(true);
    await closed(connect(server.port, '127.0.0.1'));
    await until(() => seen.length === 10);
    expect(seen.slice(8)).toEqual([
      [9, true],
      [8, false],
    ]);
    for (const one of idle) one.destroy();
    await until(() => seen.at(-1)?.[0] === 1);
    expect(server.transport.isCrowded).toBe(false);
    // A WebSocket counts until its end.
    client.close();
    await until(() => seen.at(-1)?.[0] === 0);
    expect(session.closes.length).toBe(1);
    await expect(server.connect()).resolves.toBeDefined();
  });

  if (name === 'uws') {
    it('shares a port with other processes when asked to', async ({ onTestFinished }) => {
      const transport = make();
      onTestFinished(() => transport.close());
      const { port } = await transport.listen({ host: '127.0.0.1', port: 0, shared: true });
      expect(await runListener(['-e', uwsListener(port, 'shared')], onTestFinished)).toBe(port);
      expect(await askAround(port, 60)).toEqual(new Set(['mine', 'other']));
    });
  } else {
    it('shares a port among the workers of a cluster when asked to', async ({ onTestFinished }) => {
      const folder = await mkdtemp(join(tmpdir(), 'fanfare-transport-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      await build({
        entryPoints: [fileURLToPath(new URL('../../src/transport/ws.ts', import.meta.url))],
        outfile: join(folder, 'ws.cjs'),
        bundle: true,
        platform: 'node',
        format: 'cjs',
        logLevel: 'error',
      });
      await writeFile(
        join(folder, 'cluster.cjs'),
        `const cluster = require('node:cluster');
        const { createWsTransport } = require('./ws.cjs');
        if (cluster.isPrimary) {
          let ready = 0;
          for (let i = 0; i < 2; i++) cluster.fork().on('message', (port) => ++ready === 2 && console.log(port));
        } else {
          createWsTransport(${JSON.stringify(TEST_OPTIONS)}, {
            onUpgrade: () => ({ accept: false, status: 404, body: '' }),
            onRequest: () => ({ status: 200, headers: [['Connection', 'close']], body: String(process.pid) }),
          }).listen({ host: '127.0.0.1', port: ${await probePort('127.0.0.1', 0)}, shared: true })
            .then(({ port }) => process.send(port));
        }`,
      );
      const port = await runListener([join(folder, 'cluster.cjs')], onTestFinished);
      expect((await askAround(port, 20)).size).toBe(2);
    });
  }
}
