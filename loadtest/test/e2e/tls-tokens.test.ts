/** A gateway as production has it: `wss://`, and nobody without a token. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { CertificateFolder } from '../../../gateway/test/support/certificates.js';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { fanfareLoad, measured } from '../support/fanfare-load.js';

const SECRET = 'a-secret-of-load-tests-of-32-bytes-or-more';
const SCENARIO = `name: x
stages: [{ duration: 0, publish: false }, { duration: 1s }]
groups:
  raw: { connections: 10, publish: { by: http, rate: 50 } }
  sdk: { connections: 5, client: sdk, publish: { by: http-batch, rate: 50 } }
  msgpack: { connections: 5, channels: 5, dialect: msgpack, publish: { rate: 50 } }
  closed: { connections: 5, publish: { inFlight: 2 } }
`;
const NOTHING = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, misplaced: 0, holes: 0, resets: 0, missed: 0 };

const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-tls-test-'));
const scenario = path.join(folder, 'scenario.yaml');
const certificate = new CertificateFolder();
let gateway: GatewayProcess;

beforeAll(async () => {
  writeFileSync(scenario, SCENARIO);
  certificate.renew('load');
  const { cert: TLS_CERT, key: TLS_KEY } = certificate;
  const settings = { TLS_CERT, TLS_KEY, JWT_SECRET: SECRET, ALLOW_ANONYMOUS: 'false' };
  gateway = await startGatewayProcess({ settings });
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await gateway?.stop();
  certificate.remove();
  rmSync(folder, { recursive: true });
});

function flags(host: string, ...more: readonly string[]): string[] {
  return ['run', scenario, '--url', `wss://${host}:${gateway.port}/ws`, '--allow-limited', ...more];
}

function trust(): void {
  vi.stubEnv('NODE_EXTRA_CA_CERTS', certificate.cert);
}

/** A token for one user, who may do everything in `demo`. */
function staticToken(): Promise<string> {
  const channels = { 'demo:*': ['subscribe', 'publish', 'presence', 'history'] };
  return new SignJWT({ channels })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('load')
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));
}

it.each([
  ['signed for each connection', '127.0.0.1', () => ['--secret', SECRET]],
  ['the same for all', 'localhost', async () => ['--token', await staticToken()]],
])('every message arrives by wss:// with tokens, %s', async (_name, host, tokens) => {
  trust();
  const { status, stdout, stderr, result } = await measured(flags(host, ...(await tokens())));
  expect(stderr).toBe('');
  expect(status, stdout).toBe(0);
  expect(result?.audit).toMatchObject(NOTHING);
  expect(result?.connections.peak).toBe(26);
  expect(result?.totals.acknowledged).toBe(result?.totals.published);
});

it('connections by wss:// are cut like all others, and nothing is lost', async () => {
  trust();
  const faults = ['--duration', '8s', '--every', '1s', '--only', 'cut', '--seed', '3'];
  const load = ['--connections', '24', '--rate', '40', '--secret', SECRET];
  const { status, stdout, result } = await measured([
    'verify',
    `wss://127.0.0.1:${gateway.port}/ws`,
    ...faults,
    ...load,
  ]);
  expect(status, stdout).toBe(0);
  expect(result?.audit).toMatchObject(NOTHING);
  expect(result?.disturbed.cut).toBeGreaterThan(0);
});

it('ends where nobody can connect, without a token and with one of another secret, and says what was told', async () => {
  trust();
  const wrong = [[], ['--secret', `not-${SECRET}`]].map((more) => fanfareLoad(flags('127.0.0.1', ...more, '--quiet')));
  for (const { status, stderr } of await Promise.all(wrong)) {
    expect(status).toBe(1);
    expect(stderr).toMatch(/nobody could connect: .*unauthorized/);
  }
});

/** Disconnects a user for good, as soon as there is one of that name. */
async function disconnect(user: string): Promise<void> {
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const call = request({
        ...{ port: gateway.port, path: '/v1/disconnect', method: 'POST', rejectUnauthorized: false },
        headers: { authorization: 'Bearer dev', 'content-type': 'application/json' },
      });
      call.on('response', async (response) => resolve((await response.toArray()).join('')));
      call.on('error', reject).end(JSON.stringify({ user }));
    });
  while (/"connections":0/.test(await ask())) await sleep(20);
}

it('who is disconnected for good does not come back, is owed nothing more, and the run fails and says so', async () => {
  trust();
  const running = measured(flags('127.0.0.1', '--secret', SECRET, '--duration', '4s'));
  for (const user of ['load-raw-1', 'load-sdk-2', 'load-msgpack-3', 'load-publisher-0']) await disconnect(user);
  const { status, stdout, result } = await running;
  expect(status, stdout).toBe(1);
  expect(result?.audit).toMatchObject(NOTHING);
  expect(result?.connections.refused).toBeGreaterThanOrEqual(4);
  expect(stdout).toMatch(/refused for good: 4403/);
  expect(stdout).not.toMatch(/reconnected after 4403/);
});

it('says which certificate is not trusted, and what to do', async () => {
  const { status, stderr } = await fanfareLoad(flags('127.0.0.1', '--secret', SECRET));
  expect(status).toBe(1);
  expect(stderr).toContain('NODE_EXTRA_CA_CERTS');
});
