/** Over a limit: the right answer with a time to come back, and no effect on others. */
import { SignJWT } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

const SECRET = 'a secret of more than thirty-two bytes';

async function start(settings: Readonly<Record<string, string>>): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings: { JWT_SECRET: SECRET, ...settings } });
  onTestFinished(() => gateway.stop());
  return gateway;
}

const tokenOf = (sub: string) =>
  new SignJWT({ sub }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(SECRET));

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });

async function open(gateway: GatewayProcess, options: Parameters<typeof FrameClient.open>[1] = {}) {
  const client = await FrameClient.open(gateway.port, options);
  onTestFinished(() => client.close());
  return client;
}

/** Opens a socket and says nothing. */
function openSilent({ wsUrl }: GatewayProcess, headers: Record<string, string> = {}) {
  const socket = new WebSocket(wsUrl, { headers });
  onTestFinished(() => socket.terminate());
  const frames: Record<string, unknown>[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data)) as Record<string, unknown>));
  const opened = new Promise<void>((resolve) => socket.once('open', () => resolve()));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
  return { frames, opened, closed };
}

async function expectTurnedAway(socket: ReturnType<typeof openSilent>): Promise<void> {
  const { code, reason } = await socket.closed;
  expect([code, JSON.parse(reason)]).toEqual([4429, { retryAfter: expect.any(Number) }]);
  expect(socket.frames[0]).toMatchObject({ type: 'error', code: 'limit_exceeded', retryAfter: expect.any(Number) });
}

async function hits(gateway: GatewayProcess, limit: string): Promise<number> {
  const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^fanfare_limits_hit_total{.*limit="${limit}".*} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

it('connections of an address', async () => {
  const gateway = await start({ LIMIT_CONNECTIONS_PER_IP: '2', TRUSTED_PROXIES: '127.0.0.1' });
  const [first] = [await open(gateway, from('203.0.113.1')), await open(gateway, from('203.0.113.1'))];
  await expectTurnedAway(openSilent(gateway, from('203.0.113.1').headers));
  const other = await open(gateway, from('203.0.113.2'));
  expect(await other.ask({ type: 'subscribe', channel: 'demo:a' })).toMatchObject({ type: 'subscribed' });
  await first.close();
  await expect.poll(() => open(gateway, from('203.0.113.1')).catch(() => undefined)).toBeDefined();
  await expect.poll(() => hits(gateway, 'connectionsPerIp')).toBeGreaterThan(0);
  await expect.poll(gateway.output).toMatch(/warn .*a limit is hit.* limit=connectionsPerIp hits=1/);
});

it('connections of a user, who may still refresh; publishes of a user over all of them', async () => {
  const gateway = await start({ LIMIT_CONNECTIONS_PER_USER: '2', LIMIT_PUBLISHES_PER_SECOND_PER_USER: '4' });
  const token = await tokenOf('u1');
  const clients = [await open(gateway, { token }), await open(gateway, { token })];
  const refused = await open(gateway, { token });
  expect(refused.frames[0]).toMatchObject({ id: 1, code: 'limit_exceeded', retryAfter: expect.any(Number) });
  expect((await refused.closed).code).toBe(4429);
  expect(await clients[0]?.ask({ type: 'refresh', token })).toMatchObject({ type: 'refreshed' });
  const other = await open(gateway, { token: await tokenOf('u2') });

  const publish = (client: FrameClient | undefined, data: number) =>
    client?.ask({ type: 'publish', channel: 'demo:a', data });
  const replies = await Promise.all(Array.from({ length: 8 }, (_, n) => publish(clients[n % 2], n)));
  const limited = replies.filter((reply) => reply?.code === 'rate_limited');
  expect(limited.length).toBeGreaterThanOrEqual(3);
  for (const reply of limited) expect(reply?.retryAfter).toBeGreaterThan(0);
  expect(await publish(other, 1)).toMatchObject({ type: 'published' });
  await expect.poll(() => hits(gateway, 'connectionsPerUser')).toBe(1);
  await expect.poll(() => hits(gateway, 'publishesPerSecondPerUser')).toBe(limited.length);
});

it('connections of a gateway, and messages of an API key', async () => {
  const gateway = await start({
    LIMIT_CONNECTIONS: '2',
    LIMIT_PUBLISHES_PER_SECOND_PER_KEY: '5',
    API_KEYS: 'key-one,key-two',
  });
  const [first] = [await open(gateway), await open(gateway)];
  await expectTurnedAway(openSilent(gateway));
  expect(await first.ask({ type: 'subscribe', channel: 'demo:a' })).toMatchObject({ type: 'subscribed' });
  await expect.poll(() => hits(gateway, 'connections')).toBe(1);

  const publish = (key: string, count: number) =>
    fetch(`${gateway.httpUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ messages: Array(count).fill({ channel: 'demo:a', data: 1 }) }),
    });
  // All at once: a second later there would be room again.
  const answers = await Promise.all(Array.from({ length: 4 }, () => publish('key-one', 5)));
  expect(answers.map(({ status }) => status)).toContain(200);
  const refused = answers.filter(({ status }) => status === 429);
  const [limited] = refused as [Response];
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await limited.json()).toMatchObject({ code: 'rate_limited', retryAfter: expect.any(Number) });
  expect((await publish('key-two', 5)).status).toBe(200);
  await expect.poll(() => hits(gateway, 'publishesPerSecondPerKey')).toBe(refused.length);
});

it('new connections a second', async () => {
  const gateway = await start({ LIMIT_CONNECTS_PER_SECOND: '5' });
  const early = await open(gateway);
  const sockets = Array.from({ length: 20 }, () => openSilent(gateway));
  await Promise.all(sockets.map(({ opened }) => opened));
  await expect.poll(() => hits(gateway, 'connectsPerSecond')).toBeGreaterThan(0);
  expect(await early.ask({ type: 'subscribe', channel: 'demo:a' })).toMatchObject({ type: 'subscribed' });
  await expect
    .poll(() =>
      FrameClient.open(gateway.port).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
});

it('those who do not say who they are keep nobody out: the slowest is closed', async () => {
  const gateway = await start({ LIMIT_PENDING_CONNECTIONS: '3' });
  const silent = Array.from({ length: 3 }, () => openSilent(gateway));
  await Promise.all(silent.map(({ opened }) => opened));
  const client = await open(gateway);
  expect(client.frames[0]).toMatchObject({ type: 'connected' });
  await Promise.race(silent.map((socket) => expectTurnedAway(socket)));
  await expect.poll(() => hits(gateway, 'pendingConnections')).toBe(1);
});

it('channels that become alive: who asks for very many waits, others do not', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const gateway = await start({ LIMIT_CHANNELS_PER_SECOND: '50', REDIS_URL: redis.url });
  const [greedy, modest] = [await open(gateway), await open(gateway)];
  // While the store stands still nothing becomes alive.
  redis.node.pause();
  for (let n = 0; n < 300; n++) greedy.send({ type: 'subscribe', id: n + 10, channel: `demo:n${n}` });
  await greedy.until(({ code }) => code === 'rate_limited');
  const asked = modest.ask({ type: 'subscribe', channel: 'demo:modest' });
  await greedy.until(({ id }) => id === 309);
  redis.node.resume();
  expect(await asked).toMatchObject({ type: 'subscribed' });
  const refused = greedy.frames.filter(({ code }) => code === 'rate_limited');
  expect(refused.length).toBeGreaterThan(100);
  for (const { retryable, retryAfter } of refused) expect([retryable, Number(retryAfter) > 0]).toEqual([true, true]);
  await expect.poll(() => hits(gateway, 'channelsPerSecond')).toBe(refused.length);
});

it('tokens that are refused again and again end a connection; they are verified one at a time', async () => {
  const gateway = await start({});
  const client = await open(gateway, { token: await tokenOf('u1') });
  const bad = `${await tokenOf('u1')}x`;
  for (let id = 2; id < 100; id++) client.send({ type: 'refresh', id, token: bad });
  expect((await client.closed).code).toBe(4429);
  const answers = client.frames.filter(({ code }) => code === 'unauthorized');
  expect(answers.length).toBeLessThanOrEqual(10);
  expect((await open(gateway, { token: await tokenOf('u1') })).frames[0]).toMatchObject({ type: 'connected' });
});

it('no secret that a run used is in its log, its errors or its metrics', async () => {
  const settings = {
    JWT_SECRET: 'jwt-secret-0123456789-0123456789-0123456789',
    API_KEYS: 'api-key-0123456789-0123456789,api-key-9876543210',
    LOG_LEVEL: 'trace',
  };
  const gateway = await start(settings);
  const token = await new SignJWT({ sub: 'u1', jti: 't1' })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(settings.JWT_SECRET));
  const seen: unknown[] = [];
  for (const one of [token, `${token}x`]) {
    const client = await open(gateway, { token: one });
    seen.push(client.frames);
    const byUrl = await open(gateway, { path: `/ws?token=${one}`, headers: { authorization: `Bearer ${one}` } });
    if (one === token) seen.push(await byUrl.ask({ type: 'refresh', token: `${token}y` }));
    seen.push(byUrl.frames);
  }
  const [key = ''] = settings.API_KEYS.split(',');
  for (const [path, authorization, body] of [
    ['/v1/publish', `Bearer ${key}`, '{"channel":"demo:a","data":1}'],
    ['/v1/publish', `Bearer ${key}`, '{'],
    ['/v1/revoke', `Bearer ${key}`, '{"jti":"t1"}'],
    ['/v1/publish', `Bearer ${key}x`, '{}'],
  ] as const) {
    const response = await fetch(gateway.httpUrl + path, { method: 'POST', headers: { authorization }, body });
    seen.push(await response.text());
  }
  seen.push(await (await fetch(`${gateway.httpUrl}/metrics`)).text());
  await gateway.stop();
  const text = `${JSON.stringify(seen)}\n${gateway.output()}`;
  expect(text).toContain('listening');
  const secrets = [settings.JWT_SECRET, ...settings.API_KEYS.split(','), token, token.split('.')[2] as string];
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
});

it('channels at a time: said at once, though the names are new ones too', async () => {
  const gateway = await start({ LIMIT_SUBSCRIPTIONS: '2', LIMIT_COMMANDS_PER_SECOND: '100' });
  const client = await open(gateway);
  const subscribe = (name: string) => client.ask({ type: 'subscribe', channel: `demo:${name}` });
  await Promise.all([subscribe('a'), subscribe('b')]);
  expect(await subscribe('c')).toMatchObject({ code: 'limit_exceeded', retryable: false });
  expect(await subscribe('a')).toMatchObject({ code: 'already_subscribed', retryable: false });
  await client.ask({ type: 'unsubscribe', channel: 'demo:a' });
  expect(await subscribe('d')).toMatchObject({ code: 'rate_limited', retryable: true });
});
