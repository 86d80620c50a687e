/** Control over the connections of all gateways: calls of one reach the clients of the others. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const SECRET = 'a secret of more than thirty-two bytes';
let redis: StandaloneServers;
let a: GatewayProcess;
let b: GatewayProcess;

const start = (node: string) =>
  startGatewayProcess({
    settings: { REDIS_URL: redis.url, NODE: node, JWT_SECRET: SECRET },
    file: { namespaces: { chat: { subscribe: 'token', publish: 'token', presence: true } } },
  });

beforeAll(async () => {
  redis = await startRedis();
  [a, b] = await Promise.all([start('a'), start('b')]);
  await vi.waitFor(async () => expect((await get(a, '/v1/nodes')).json.nodes).toHaveLength(2), 20_000);
});
afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop()]);
  await redis?.stop();
});

const headers = { authorization: 'Bearer dev' };

async function get({ httpUrl }: GatewayProcess, path: string) {
  const response = await fetch(httpUrl + path, { headers });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function post({ httpUrl }: GatewayProcess, path: string, body: object) {
  const response = await fetch(httpUrl + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

/** Made a minute ago, unless it says otherwise. */
function sign(claims: Record<string, unknown>): Promise<string> {
  const iat = Math.floor(Date.now() / 1000) - 60;
  return new SignJWT({ iat, channels: { 'chat:*': ['subscribe', 'publish'] }, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));
}

async function connect({ port }: GatewayProcess, claims: Record<string, unknown>) {
  const client = await FrameClient.open(port, { token: await sign(claims) });
  onTestFinished(() => client.close());
  return client;
}

it('disconnects a user everywhere, for good or to come back, and nobody else', async () => {
  const clients = await Promise.all([connect(a, { sub: 'd1' }), connect(b, { sub: 'd1' })]);
  const other = await connect(b, { sub: 'd2' });
  expect((await post(a, '/v1/disconnect', { user: 'd1' })).json).toEqual({ connections: 2 });
  for (const client of clients) expect((await client.closed).code).toBe(4403);
  expect((await post(a, '/v1/disconnect', { user: 'd1' })).json).toEqual({ connections: 0 });
  expect(await other.ask({ type: 'subscribe', channel: 'chat:d' })).toMatchObject({ type: 'subscribed' });

  const { session } = other.frames[0] as { session: string };
  expect((await post(a, '/v1/disconnect', { session, reconnect: true })).json).toEqual({ connections: 1 });
  expect((await other.closed).code).toBe(4003);
});

it('a message reaches all but one session, whichever gateway it is on, also from the log', async () => {
  const [one, two] = [await connect(a, { sub: 'e1' }), await connect(b, { sub: 'e2' })];
  for (const client of [one, two]) await client.ask({ type: 'subscribe', channel: 'chat:e' });
  const except = two.frames[0]?.session as string;
  const messages = [1, 2, 3].map((data) => ({ channel: 'chat:e', data, user: 'e2', ...(data === 2 && { except }) }));
  await a.publish({ messages });
  const told = (client: FrameClient) =>
    client.frames
      .filter(({ offset, id }) => offset && !id)
      .map(({ type, data, user, offset }) => [type, offset, data, user]);
  const all = [1, 2, 3].map((n) => ['message', n, n, 'e2']);
  const apart = [all[0], ['position', 2, undefined, undefined], all[2]];
  await expect.poll(() => told(one)).toEqual(all);
  await expect.poll(() => told(two)).toEqual(apart);
  await two.ask({ type: 'unsubscribe', channel: 'chat:e' });
  await two.ask({ type: 'subscribe', channel: 'chat:e', rewind: 10 });
  await expect.poll(() => told(two)).toEqual([...apart, ...apart]);
});

it('takes a user off a channel, who may come back', async () => {
  const client = await connect(b, { sub: 'u1' });
  await client.ask({ type: 'subscribe', channel: 'chat:1' });
  await client.ask({ type: 'subscribe', channel: 'chat:2' });
  expect((await post(a, '/v1/unsubscribe', { user: 'u1', channel: 'chat:1' })).json).toEqual({ connections: 1 });
  expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({
    channel: 'chat:1',
    code: 'forbidden',
  });
  expect((await post(a, '/v1/unsubscribe', { user: 'u1', channel: 'chat:1' })).json).toEqual({ connections: 0 });
  expect(await client.ask({ type: 'subscribe', channel: 'chat:1' })).toMatchObject({ type: 'subscribed' });
});

it('gives new permissions to connections at once', async () => {
  const client = await connect(b, { sub: 'p1' });
  await client.ask({ type: 'subscribe', channel: 'chat:old' });
  const change = { user: 'p1', channels: { 'chat:new': ['subscribe'] }, subscribe: ['chat:put'] };
  expect((await post(a, '/v1/refresh', change)).json).toEqual({ connections: 1 });
  expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({ channel: 'chat:old' });
  await client.until(({ type, channel }) => type === 'subscribed' && channel === 'chat:put');
  expect(await client.ask({ type: 'subscribe', channel: 'chat:new' })).toMatchObject({ type: 'subscribed' });
  expect(await client.ask({ type: 'publish', channel: 'chat:new', data: 1 })).toMatchObject({ code: 'forbidden' });
  expect(await post(a, '/v1/refresh', { user: 'p1', channels: { 'chat:*': 'subscribe' } })).toMatchObject({
    status: 400,
    json: { code: 'bad_request' },
  });
});

it('revokes what a user had, everywhere and for those who come later, until he logs in anew', async () => {
  const claims = { sub: 'r1' };
  const clients = await Promise.all([connect(a, claims), connect(b, claims)]);
  const { status, json } = await post(a, '/v1/revoke', { user: 'r1', ttlMs: 3_600_000 });
  expect([status, json]).toEqual([200, { connections: 2, until: expect.any(Number) }]);
  for (const client of clients) expect(await client.closed).toEqual({ code: 4401, reason: 'revoked' });

  const later = await start('c');
  onTestFinished(() => later.stop());
  for (const gateway of [a, b, later]) {
    const refused = await connect(gateway, claims);
    expect(refused.frames[0]).toMatchObject({ type: 'error', code: 'unauthorized', message: 'the token was revoked' });
    const anew = await connect(gateway, { sub: 'r1', iat: Math.ceil(Date.now() / 1000) + 1 });
    expect(anew.frames[0]).toMatchObject({ type: 'connected' });
    const old = await sign(claims);
    expect(await anew.ask({ type: 'refresh', token: old })).toMatchObject({ code: 'unauthorized' });
  }
});

it('revokes one token, by its id, and what a channel token gave', async () => {
  const revoked = await connect(b, { sub: 't1', jti: 'one' });
  const kept = await connect(b, { sub: 't1', jti: 'two', channels: {} });
  const token = await sign({ jti: 'one' });
  expect(await kept.ask({ type: 'subscribe', channel: 'chat:t', token })).toMatchObject({ type: 'subscribed' });
  expect((await post(a, '/v1/revoke', { jti: 'one' })).json).toMatchObject({ connections: 2 });
  expect((await revoked.closed).code).toBe(4401);
  await kept.until(({ type, code }) => type === 'unsubscribed' && code === 'unauthorized');
  expect(await kept.ask({ type: 'subscribe', channel: 'chat:t', token })).toMatchObject({ code: 'unauthorized' });
});

it('a gateway that stood still is named, and enforces the revocation once it is back', async () => {
  const client = await connect(b, { sub: 'm1' });
  await b.signal('SIGSTOP');
  try {
    expect((await post(a, '/v1/revoke', { user: 'm1' })).json).toMatchObject({ connections: 0, missing: ['b'] });
    const missing = ['b'];
    for (const [path, body] of [
      ['/v1/disconnect', {}],
      ['/v1/unsubscribe', { channel: 'chat:m' }],
      ['/v1/refresh', { channels: {} }],
    ] as const) {
      expect([path, (await post(a, path, { user: 'm1', ...body })).json]).toEqual([path, { connections: 0, missing }]);
    }
    expect((await get(a, '/v1/sessions?user=m1')).json).toEqual({ sessions: [], count: 0, missing });
    // What was told meanwhile is lost, as if its connection to Redis had broken.
    await redis.node.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  } finally {
    await b.signal('SIGCONT');
  }
  expect((await client.closed).code).toBe(4401);
});

it('a revocation that a failover lost is stored again by those who remember it', async () => {
  await post(a, '/v1/revoke', { user: 'f1' });
  const key = 'ff:{s0}:revoked';
  await expect.poll(() => redis.node.client.hexists(key, 'user f1')).toBe(1);
  await redis.node.client.del(key);
  await expect.poll(() => redis.node.client.hexists(key, 'user f1'), { timeout: 15_000 }).toBe(1);
});

it('tells who is connected from where, on which channels, and how far behind', async () => {
  const [one, two] = [await connect(a, { sub: 's1' }), await connect(b, { sub: 's1' })];
  await a.publish({ channel: 'chat:s', data: 1 });
  await one.ask({ type: 'subscribe', channel: 'chat:s' });
  await two.ask({ type: 'subscribe', channel: 'chat:s' });
  const { json } = await get(b, '/v1/sessions?user=s1');
  expect(json).toMatchObject({ count: 2 });
  const sessions = json.sessions as Record<string, unknown>[];
  expect(sessions.map(({ node }) => node)).toEqual(['a', 'b']);
  for (const session of sessions) {
    expect(session).toMatchObject({ user: 's1', address: '127.0.0.1', via: 'ws', dialect: 'json', channelCount: 1 });
    expect(session.channels).toMatchObject([{ channel: 'chat:s', state: 'live', offset: 1, behind: 0 }]);
    expect(Math.abs((session.connectedAt as number) - Date.now())).toBeLessThan(600_000);
  }
  expect((await get(a, `/v1/sessions?session=${String(two.frames[0]?.session)}`)).json).toMatchObject({ count: 1 });
  expect((await get(a, '/v1/sessions')).status).toBe(400);
});
