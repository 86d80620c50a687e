/** A gateway whose Redis is away when it starts, and the image that runs it. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { readRepositoryFile } from '../support/compose.js';
import { fanfare, startFanfare, startProcess } from '../support/program.js';
import { freePort, startRedis } from '../support/redis-servers.js';

const PATIENCE = { timeout: 60_000 };
const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** A Redis that was there, and is not now. */
async function absentRedis(config: Readonly<Record<string, string>> = {}) {
  const redis = await startRedis({ config });
  onTestFinished(() => redis.stop());
  await redis.node.kill9();
  return redis;
}

async function ask(port: number, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init).catch(() => undefined);
  const text = (await response?.text()) ?? '';
  return { status: response?.status, retryAfter: response?.headers.get('retry-after'), text };
}

function publishing(channel: string): RequestInit {
  const body = JSON.stringify({ channel, data: 1 });
  return { method: 'POST', headers: { authorization: 'Bearer dev', connection: 'close' }, body };
}

it.each([
  ['ws', '1'],
  ['uws', '2'],
])(
  'waits for its Redis over %s with %s worker(s), says so, and serves once it is there',
  async (transport, workers) => {
    const redis = await absentRedis();
    const port = await freePort();
    const flags = ['--port', String(port), '--redis-url', redis.url, '--transport', transport, '--workers', workers];
    const gateway = await startFanfare(['serve', ...flags]);
    await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('waiting for Redis');
    expect(gateway.output.stdout).toMatch(/warn .*waiting for Redis reason=.*ECONNREFUSED/);

    expect((await ask(port, '/health/live')).status).toBe(200);
    expect(await ask(port, '/health/ready')).toMatchObject({
      status: 503,
      text: '{"status":"starting","shards":[]}\n',
    });
    const refused = await ask(port, '/v1/publish', publishing('demo:start'));
    expect(refused).toMatchObject({ status: 503, retryAfter: '1' });
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'unavailable', retryable: true });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(503);
    socket.on('error', () => {}).terminate();
    if (workers === '1') {
      expect((await ask(port, '/metrics')).text).toMatch(
        /^fanfare_upgrades_refused_total{reason="the gateway waits for its broker",.*} 1$/m,
      );
    }
    // Said once, however often it was tried.
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(gateway.output.stdout.match(/waiting for Redis/g)).toHaveLength(1);

    await redis.node.restart();
    await expect
      .poll(() => gateway.output.stdout, PATIENCE)
      .toContain(workers === '1' ? 'listening' : `workers=${workers}`);
    expect((await ask(port, '/health/ready')).status).toBe(200);
    expect((await ask(port, '/v1/publish', publishing('demo:start'))).status).toBe(200);
    gateway.child.kill('SIGTERM');
    expect(await gateway.closed).toEqual([0, null]);
  },
);

it('stops at once when it is told to while it waits', async () => {
  const { url } = await absentRedis();
  const gateway = await startFanfare(['serve', '--port', '0', '--redis-url', url]);
  await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('waiting for Redis');
  gateway.child.kill('SIGTERM');
  expect(await gateway.closed).toEqual([0, null]);
  expect(gateway.output.stdout).toMatch(/stopped while starting signal=SIGTERM\n$/);
});

it('does not wait where it was told not to, or where Redis is there and refuses the login', async () => {
  const { url } = await absentRedis();
  const away = fanfare(['serve', '--port', '0', '--redis-url', url, '--redis-at-start', 'exit']);
  const strict = await startRedis();
  onTestFinished(() => strict.stop());
  await strict.node.client.config('SET', 'requirepass', 'right');
  const login = fanfare(['serve', '--port', '0', '--redis-url', strict.url.replace('redis://', 'redis://:wrong@')]);
  expect(await away).toMatchObject({ code: 1, stderr: expect.stringMatching(/^fanfare serve: .*ECONNREFUSED/) });
  expect(await login).toMatchObject({ code: 1, stderr: expect.stringMatching(/^fanfare serve: .*WRONGPASS/) });
});

it('the image: PORT counts, and its health check asks that port whether the gateway lives', async () => {
  const dockerfile = readRepositoryFile('Dockerfile');
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  const env = Object.fromEntries(
    [...last.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = '']) => line.split(' ').map((one) => one.split('='))),
  );
  const command = (name: string): string[] =>
    JSON.parse(new RegExp(`${name} (\\[.*\\])$`, 'm').exec(last)?.[1] ?? '[]');
  const port = await freePort();
  const redis = await absentRedis();
  const platform = {
    ...env,
    PATH: process.env.PATH ?? '',
    PORT: String(port),
    REDIS_URL: redis.url,
    FANFARE_API_KEYS: 'k',
  };
  const health = async () =>
    (await (await startProcess(command('HEALTHCHECK .* CMD'), platform, REPOSITORY)).closed)[0];

  expect(await health()).toBe(1);
  const gateway = await startProcess(command('^CMD'), platform, REPOSITORY);
  await expect.poll(() => gateway.output.stdout, PATIENCE).toContain('waiting for Redis');
  expect(await health()).toBe(0);
  await redis.node.restart();
  await expect.poll(() => gateway.output.stdout, PATIENCE).toContain(`:${port}"`);
  expect(await health()).toBe(0);
  expect((await ask(port, '/health/ready')).status).toBe(200);
  // An outage of Redis is nothing that a restart of the gateway would mend.
  await redis.node.kill9();
  await expect.poll(async () => (await ask(port, '/health/ready')).status, PATIENCE).toBe(503);
  expect(await health()).toBe(0);
});
