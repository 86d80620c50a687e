/** Attacks on a running gateway: those who keep to the protocol lose nothing, and its memory is bounded. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WellBehaved } from '../attacks/well-behaved.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const IS_LONG = process.env.FANFARE_TEST_FAULTS === 'long';
const CLIENTS = IS_LONG ? 1_000 : 150;
const CHANNELS = 10;
const PER_SECOND = IS_LONG ? 100 : 40;
const ATTACK_MS = IS_LONG ? 12_000 : 700;
const SOCKETS = IS_LONG ? 500 : 100;
/** What an attack may cost the gateway, beyond what it holds when all is quiet, MiB. */
const MOST_GROWTH_MIB = 500;
const ATTACKERS = fileURLToPath(new URL('../attacks/attackers.mjs', import.meta.url));
/** What a transport has to bear; the rest is the same above both, and the short form does it on one of them. */
const ON_TRANSPORT: readonly (readonly [name: string, sockets: number])[] = [
  ['slow handshakes', SOCKETS],
  ['sockets that say nothing', SOCKETS],
  ['slow bodies', SOCKETS],
  ['reconnect flood', 40],
  ['giant frames', 10],
  ['unread sockets', 100],
];
const ATTACKS: typeof ON_TRANSPORT = [
  ...ON_TRANSPORT,
  ['frame flood', 20],
  ['malformed flood', 20],
  ['subscription flood', 20],
  ['distinct channels', SOCKETS],
  ['distinct channels by HTTP', 1],
  ['token flood', 50],
];

let redis: StandaloneServers;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
beforeAll(async () => {
  redis = await startRedis();
  keys = await generateKeyPair('ES256');
});
afterAll(() => redis?.stop());

const tokenOf = (user: string) =>
  new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(keys.privateKey);

/** MiB that the process occupies. */
async function residentMib(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Its largest resident size while `during` is not over. */
async function watchMemory(pid: number, during: Promise<unknown>): Promise<number> {
  let isOver = false;
  void during.finally(() => {
    isOver = true;
  });
  let most = 0;
  for (; !isOver; await sleep(50)) most = Math.max(most, await residentMib(pid));
  return most;
}

/** Attacks for a while. Resolves with what the attackers say that they did. */
async function attack(name: string, sockets: number, gateway: GatewayProcess): Promise<string> {
  const args = [ATTACKERS, name, String(gateway.port), String(sockets), await tokenOf('mallory')];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout?.on('data', (text) => {
    output += text;
  });
  const exited = once(child, 'exit');
  try {
    while (!output.includes('ready')) await sleep(10);
    await sleep(ATTACK_MS);
    child.stdin?.end();
    const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
    expect((await exited)[0]).toBe(0);
    clearTimeout(late);
  } finally {
    child.kill('SIGKILL');
  }
  return output.trim().split('\n').at(-1) ?? '';
}

describe.each(['uws', 'ws'])('attacks on %s', (transport) => {
  let gateway: GatewayProcess;
  let crowd: WellBehaved;
  let quietMib: number;
  const lines: string[] = [];

  beforeAll(async () => {
    gateway = await startGatewayProcess({
      settings: {
        MODE: 'production',
        HOST: '127.0.0.1',
        TRANSPORT: transport,
        REDIS_URL: redis.url,
        API_KEYS: 'key-of-the-backend,key-of-the-attacker',
        JWT_PUBLIC_KEY: await exportSPKI(keys.publicKey),
        STOP_DELAY_MS: '0',
        DRAIN_MS: '0',
      },
      file: {
        namespaces: {
          room: { subscribe: 'authenticated', publish: 'authenticated' },
          big: { subscribe: 'authenticated', publish: 'none' },
        },
      },
    });
    const filler = { channel: 'big:0', data: 'x'.repeat(60_000) };
    for (let n = 0; n < 3; n++) await gateway.publish({ messages: Array.from({ length: 100 }, () => filler) });
    crowd = await WellBehaved.join(gateway, {
      clients: CLIENTS,
      channels: CHANNELS,
      tokenOf: (nth) => tokenOf(`good-${nth}`),
    });
    const quiet = sleep(ATTACK_MS);
    const [book, mib] = await Promise.all([crowd.publish(PER_SECOND, quiet), watchMemory(gateway.pid, quiet)]);
    expect(book).toMatchObject({ faults: [], behind: 0 });
    quietMib = mib;
    lines.push(`${'quiet'.padEnd(28)} p99 ${book.p99Ms} ms, max ${book.maxMs} ms, ${Math.round(mib)} MiB`);
  }, 120_000);

  afterAll(async () => {
    process.stdout.write(`\n${CLIENTS} well-behaved clients on ${transport}\n${lines.join('\n')}\n`);
    crowd?.close();
    await gateway?.stop();
  });

  it.each(IS_LONG || transport === 'uws' ? ATTACKS : ON_TRANSPORT)(
    '%s',
    { timeout: 120_000 },
    async (name, sockets) => {
      const attacked = attack(name, sockets, gateway);
      const newcomer = sleep(ATTACK_MS / 2).then(async () => crowd.newcomer(await tokenOf('newcomer')));
      const both = Promise.all([attacked, newcomer]);
      const [book, mib, [did, came]] = await Promise.all([
        crowd.publish(PER_SECOND, both),
        watchMemory(gateway.pid, both),
        both,
      ]);
      lines.push(
        `${name.padEnd(28)} p99 ${book.p99Ms} ms, max ${book.maxMs} ms, ${Math.round(mib)} MiB, ` +
          `newcomer ${came.ms} ms (${came.attempts}), ${book.retries} retries ${did}`,
      );
      expect(book).toMatchObject({ faults: [], behind: 0 });
      expect(mib - quietMib).toBeLessThan(MOST_GROWTH_MIB);
    },
  );
});
