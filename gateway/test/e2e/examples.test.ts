/** The backends of `examples/`, run as they stand, against a real gateway. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { signToken } from '@fanfare/client/tokens';
import { expect, it, onTestFinished } from 'vitest';
import { startExample } from '../support/example.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

const SECRET = 'the secret of the examples, long enough';
const example = (path: string) => fileURLToPath(new URL(`../../../examples/${path}`, import.meta.url));
const PATIENCE = { timeout: 60_000 };

/** The one that has websockets. */
const python = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import websockets']).status === 0,
) as string;

function start(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout?.on('data', (bytes) => (out += bytes));
  child.stderr?.on('data', (bytes) => (err += bytes));
  return { child, out: () => out, err: () => err };
}

it('Python publishes and reads, and goes on where it stood when its gateway was killed', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const settings = { REDIS_URL: redis.url };
  let gateway = await startGatewayProcess({ settings });
  onTestFinished(() => gateway.stop());
  const env = { FANFARE_URL: gateway.httpUrl, FANFARE_WS_URL: gateway.wsUrl };
  const say = async (n: number) => {
    const { child, out, err } = start(python, [example('python/publish.py'), 'demo:py', JSON.stringify({ n })], env);
    await once(child, 'close');
    expect(err()).toBe('');
    return JSON.parse(out()) as { offset: number };
  };
  const before = await say(0);
  const reader = start(python, [example('python/subscribe.py'), 'demo:py'], env);
  let n = 0;
  // It begins with what is published from then on.
  const nextSeen = async () => {
    await say(++n);
    return reader.out();
  };
  await expect.poll(nextSeen, PATIENCE).not.toBe('');
  await gateway.signal('SIGKILL');
  await expect.poll(reader.err, PATIENCE).toContain('coming back');
  gateway = await startGatewayProcess({ settings, port: gateway.port });
  const last = await say(++n);
  expect(last.offset).toBe(before.offset + n);
  await expect.poll(() => reader.out() + reader.err(), PATIENCE).toContain(`{"n": ${n}}`);
  const seen = reader
    .out()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n);
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => n - seen.length + 1 + index));
});

it('the reader in Python gives up where it is not let in, or no longer', async () => {
  const gateway = await startGatewayProcess({ settings: { JWT_SECRET: SECRET } });
  onTestFinished(() => gateway.stop());
  const read = (token: string) =>
    start(python, [example('python/subscribe.py'), 'demo:py'], { FANFARE_WS_URL: gateway.wsUrl, FANFARE_TOKEN: token });
  const wrong = read('no token');
  await expect.poll(() => wrong.child.exitCode, PATIENCE).toBe(1);
  expect(wrong.err()).toMatch(/unauthorized|4401/);
  const ada = read(await signToken({ key: SECRET, user: 'ada', expiresInS: 60 }));
  const call = (path: string, body: object) =>
    fetch(`${gateway.httpUrl}/v1/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer dev', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const hears = async () => {
    await call('publish', { channel: 'demo:py', data: 1 });
    return ada.out();
  };
  await expect.poll(hears, PATIENCE).not.toBe('');
  expect((await call('unsubscribe', { user: 'ada', channel: 'demo:py' })).status).toBe(200);
  await expect.poll(() => ada.child.exitCode, PATIENCE).toBe(1);
});

it('the Node backend signs tokens and publishes, by its one command', async () => {
  const { url, gateway } = await startExample('node');
  const { token } = (await (await fetch(`${url}/token?user=ada`)).json()) as { token: string };
  expect(token.split('.')).toHaveLength(3);
  const said = await fetch(`${url}/say`, { method: 'POST', body: JSON.stringify({ user: 'ada', text: 'hello' }) });
  expect(await said.json()).toMatchObject({ offset: 1 });
  const history = await fetch(`${gateway}/v1/history?channel=demo:chat`, { headers: { authorization: 'Bearer dev' } });
  expect(await history.json()).toMatchObject({ messages: [{ data: { text: 'hello' }, user: 'ada' }] });
});

it('a copy is made in no folder that has something in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fanfare-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'backend.mjs'), 'mine');
  await expect(startExample('node', ['--into', folder])).rejects.toThrow('has something in it already');
  expect(readFileSync(join(folder, 'backend.mjs'), 'utf8')).toBe('mine');
});
