/** Connection tokens, channel tokens, refresh and expiry, over real sockets of a running gateway. */
import { createClient } from '@fanfare/client';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const SECRET = 'a secret of at least thirty-two bytes';
const KEY = 'a-key-of-the-api-for-tests';
const ALL = ['subscribe', 'publish', 'history'];

const rsa = await generateKeyPair('RS256', { extractable: true });
let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await startGatewayProcess({
    settings: {
      MODE: 'production',
      HOST: '127.0.0.1',
      API_KEYS: KEY,
      JWT_SECRET: SECRET,
      JWT_PUBLIC_KEY: await exportSPKI(rsa.publicKey),
      JWT_ISSUER: 'me',
      JWT_CLOCK_TOLERANCE_MS: '0',
    },
    file: {
      namespaces: {
        chat: { subscribe: 'token', publish: 'token' },
        user: { subscribe: 'owner' },
        open: { subscribe: 'authenticated', publish: 'authenticated' },
      },
    },
  });
});
afterAll(() => gateway.stop());

const sign = (claims: Record<string, unknown>, secret = SECRET) =>
  new SignJWT({ iss: 'me', ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
/** Seconds since the Unix epoch, from now. */
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What a client is told that connects with this, and how its connection ends if it does. */
async function connect(token: string | undefined, options: { path?: string; headers?: Record<string, string> } = {}) {
  const client = await FrameClient.open(gateway.port, { token, ...options });
  const [first = {}] = client.frames;
  if (first.type === 'connected') {
    await client.close();
    return { user: first.user };
  }
  return { error: first.code, code: (await client.closed).code };
}

describe('a connection', () => {
  it('is who its token says, wherever the token comes from', async () => {
    const token = await sign({ sub: 'u1', exp: inSeconds(3600) });
    expect(await connect(token)).toEqual({ user: 'u1' });
    expect(await connect(undefined, { path: `/ws?token=${token}` })).toEqual({ user: 'u1' });
    expect(await connect(undefined, { headers: { authorization: `Bearer ${token}` } })).toEqual({ user: 'u1' });
    // What is said in `connect` counts, if anything is.
    expect(await connect(token, { path: '/ws?token=nonsense' })).toEqual({ user: 'u1' });
    const signed = await new SignJWT({ iss: 'me', sub: 'u2' })
      .setProtectedHeader({ alg: 'RS256' })
      .sign(rsa.privateKey);
    expect(await connect(signed)).toEqual({ user: 'u2' });
  });

  it('is told until when, and how long that is', async () => {
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1', exp: inSeconds(3600) }) });
    const [{ expires, expiresIn } = {}] = client.frames as { expires?: number; expiresIn?: number }[];
    expect(expires).toBeGreaterThan(Date.now() + 3_500_000);
    expect(expiresIn).toBeGreaterThan(3_500_000);
    expect(expiresIn).toBeLessThanOrEqual(3_600_000);
    await client.close();
  });

  it('without a token is refused where nothing is open to anyone', async () => {
    expect(await connect(undefined)).toEqual({ error: 'unauthorized', code: 4401 });
  });

  it('with a token that was forged is refused, and nothing of the token is told or logged', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const stranger = (header: object) =>
      new SignJWT({ iss: 'me', sub: 'admin' }).setProtectedHeader({ alg: 'RS256', ...header }).sign(privateKey);
    const good = await sign({ sub: 'u1' });
    const [head, , signature] = good.split('.');
    const forged: Record<string, string> = {
      'signed by nobody': `${base64url({ alg: 'none' })}.${base64url({ iss: 'me', sub: 'admin' })}.`,
      'signed by nobody, with a signature': `${base64url({ alg: 'None' })}.${base64url({ iss: 'me', sub: 'admin' })}.AAAA`,
      'of another secret': await sign({ sub: 'admin' }, 'another secret of at least thirty-two bytes'),
      'of the public key as the secret': await sign({ sub: 'admin' }, await exportSPKI(rsa.publicKey)),
      'of another key': await stranger({}),
      'with its own key': await stranger({ jwk: await exportJWK(publicKey) }),
      'with a kid elsewhere': await stranger({ kid: 'http://127.0.0.1:1/key', jku: 'http://127.0.0.1:1/keys' }),
      changed: `${head}.${base64url({ iss: 'me', sub: 'admin' })}.${signature}`,
      'cut off': good.slice(0, -5),
      'without a signature': good.slice(0, good.lastIndexOf('.') + 1),
      'of another issuer': await sign({ iss: 'other', sub: 'admin' }),
      'not valid yet': await sign({ sub: 'admin', nbf: inSeconds(60) }),
      'of nobody': await sign({ sub: '' }),
      'too large': await sign({ sub: 'admin', pad: 'x'.repeat(40_000) }),
      'no token': 'admin',
    };
    for (const [what, token] of Object.entries(forged)) {
      expect(await connect(token), what).toEqual({ error: 'unauthorized', code: 4401 });
      expect(gateway.output(), what).not.toContain(token);
    }
    expect(await connect(await sign({ sub: 'u1', exp: inSeconds(-1) }))).toEqual({
      error: 'token_expired',
      code: 4401,
    });
    expect(gateway.output()).not.toContain(SECRET);
  });

  it('with a token of a megabyte is ended, and the gateway goes on', async () => {
    await expect(connect(await sign({ sub: 'admin', pad: 'x'.repeat(1_000_000) }))).rejects.toThrow('no such frame');
    expect(await connect(await sign({ sub: 'u1' }))).toEqual({ user: 'u1' });
  });

  it('ends when its token does, and not before', async () => {
    const exp = inSeconds(3);
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1', exp }) });
    expect(await client.closed).toEqual({ code: 4401, reason: 'token_expired' });
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'token_expired' });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });
});

describe('refresh', () => {
  it('keeps the connection beyond its first token', async () => {
    const endsAt = inSeconds(4);
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1', exp: endsAt }) });
    const exp = inSeconds(3600);
    const reply = await client.ask({ type: 'refresh', token: await sign({ sub: 'u1', exp }) });
    expect(reply).toMatchObject({ type: 'refreshed', expires: exp * 1000, expiresIn: expect.any(Number) });
    await new Promise((resolve) => setTimeout(resolve, endsAt * 1000 + 500 - Date.now()));
    expect(await client.ask({ type: 'subscribe', channel: 'open:a' })).toMatchObject({ type: 'subscribed' });
    await client.close();
  });

  it('brings new permissions at once, and takes the client off what it may no longer', async () => {
    const token = await sign({ sub: 'u1', channels: { 'chat:a': ALL, 'chat:b': ALL } });
    const client = await FrameClient.open(gateway.port, { token });
    for (const channel of ['chat:a', 'chat:b', 'user:u1', 'open:a']) await client.ask({ type: 'subscribe', channel });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:c' })).toMatchObject({ code: 'forbidden' });
    const next = await sign({ sub: 'u1', channels: { 'chat:b': ALL, 'chat:c': ALL } });
    expect(await client.ask({ type: 'refresh', token: next })).toMatchObject({ type: 'refreshed' });
    expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({
      channel: 'chat:a',
      code: 'forbidden',
    });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:c' })).toMatchObject({ type: 'subscribed' });
    expect(client.frames.filter(({ type }) => type === 'unsubscribed')).toHaveLength(1);
    expect(await client.ask({ type: 'publish', channel: 'chat:a', data: 1 })).toMatchObject({ code: 'forbidden' });
    await client.close();
  });

  it('with a token that is none, or another user’s, changes nothing', async () => {
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1' }) });
    const refresh = async (token: string) => (await client.ask({ type: 'refresh', token })).code;
    expect(await refresh('nonsense')).toBe('unauthorized');
    expect(await refresh(await sign({ sub: 'u1', exp: inSeconds(-1) }))).toBe('token_expired');
    expect(await refresh(await sign({ sub: 'u2' }))).toBe('forbidden');
    expect(await refresh(await sign({}))).toBe('forbidden');
    expect(await client.ask({ type: 'subscribe', channel: 'user:u1' })).toMatchObject({ type: 'subscribed' });
    await client.close();
  });
});

describe('a channel token', () => {
  it('gives one channel, to the user that it names, while the client is on it', async () => {
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1' }) });
    const subscribe = (channel: string, token: string) => client.ask({ type: 'subscribe', channel, token });
    const mine = await sign({ sub: 'u1', channels: { 'chat:a': ALL } });
    expect(await subscribe('chat:b', mine)).toMatchObject({ code: 'forbidden' });
    expect(await subscribe('chat:a', await sign({ sub: 'u2', channels: { 'chat:a': ALL } }))).toMatchObject({
      code: 'forbidden',
    });
    expect(await subscribe('chat:a', 'nonsense')).toMatchObject({ code: 'unauthorized' });
    expect(await subscribe('chat:a', mine)).toMatchObject({ type: 'subscribed', channel: 'chat:a' });
    expect(await client.ask({ type: 'publish', channel: 'chat:a', data: 1 })).toMatchObject({ type: 'published' });
    expect(await client.ask({ type: 'publish', channel: 'chat:b', data: 1 })).toMatchObject({ code: 'forbidden' });
    await client.ask({ type: 'unsubscribe', channel: 'chat:a' });
    // Sent at once, what the first brings holds for the second.
    const [, published] = await Promise.all([
      subscribe('chat:a', mine),
      client.ask({ type: 'publish', channel: 'chat:a', data: 2 }),
    ]);
    expect(published).toMatchObject({ type: 'published' });
    await client.ask({ type: 'unsubscribe', channel: 'chat:a' });
    expect(await client.ask({ type: 'publish', channel: 'chat:a', data: 1 })).toMatchObject({ code: 'forbidden' });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:a' })).toMatchObject({ code: 'forbidden' });
    await client.close();
  });

  it('ends by itself, unless it is renewed in place', async () => {
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1' }) });
    const tokenFor = (channel: string, exp: number) => sign({ channels: { [channel]: ['subscribe'] }, exp });
    for (const channel of ['chat:a', 'chat:b']) {
      const reply = await client.ask({ type: 'subscribe', channel, token: await tokenFor(channel, inSeconds(4)) });
      expect(reply).toMatchObject({ type: 'subscribed', expiresIn: expect.any(Number) });
    }
    const refresh = async (channel: string, token: string) => client.ask({ type: 'refresh', channel, token });
    expect(await refresh('chat:a', await tokenFor('chat:b', inSeconds(60)))).toMatchObject({ code: 'forbidden' });
    expect(await refresh('chat:c', await tokenFor('chat:c', inSeconds(60)))).toMatchObject({ code: 'not_subscribed' });
    expect(await refresh('chat:a', await tokenFor('chat:a', inSeconds(60)))).toMatchObject({
      type: 'refreshed',
      channel: 'chat:a',
    });
    expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({
      channel: 'chat:b',
      code: 'token_expired',
    });
    await gateway.publish({ channel: 'chat:b', data: 'missed' });
    await gateway.publish({ channel: 'chat:a', data: 'seen' });
    expect(await client.until(({ type }) => type === 'message')).toMatchObject({ channel: 'chat:a', data: 'seen' });
    await client.close();
  });
});

describe('a token that names channels', () => {
  it('puts the connection on them at once; what cannot be is told', async () => {
    const token = await sign({ sub: 'u1', subscribe: ['user:u1', 'chat:news', 'nowhere:a'] });
    const client = await FrameClient.open(gateway.port, { token });
    const on = await client.until(({ type, channel }) => type === 'subscribed' && channel === 'user:u1');
    expect(on).toMatchObject({ durable: true, offset: 0 });
    expect(on.id).toBeUndefined();
    expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({
      channel: 'nowhere:a',
      code: 'unknown_channel',
    });
    await client.until(({ type, channel }) => type === 'subscribed' && channel === 'chat:news');
    await gateway.publish({ channel: 'user:u1', data: 'one' });
    expect(await client.until(({ type }) => type === 'message')).toMatchObject({
      channel: 'user:u1',
      data: 'one',
      offset: 1,
    });
    // Asked by the client itself, it is a subscription like any.
    const again = await client.ask({ type: 'subscribe', channel: 'user:u1', since: { epoch: on.epoch, offset: 0 } });
    expect(again).toMatchObject({ type: 'subscribed', recovered: true });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:news' })).toMatchObject({ type: 'subscribed' });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:news' })).toMatchObject({ code: 'already_subscribed' });
    await client.close();
  });

  it('brings others with a refresh', async () => {
    const client = await FrameClient.open(gateway.port, { token: await sign({ sub: 'u1', subscribe: ['chat:a'] }) });
    await client.until(({ type, channel }) => type === 'subscribed' && channel === 'chat:a');
    await client.ask({ type: 'refresh', token: await sign({ sub: 'u1', subscribe: ['chat:b'] }) });
    await client.until(({ type, channel }) => type === 'subscribed' && channel === 'chat:b');
    expect(await client.until(({ type }) => type === 'unsubscribed')).toMatchObject({ channel: 'chat:a' });
    await client.close();
  });

  it('leaves the SDK its own subscriptions, which lose nothing', async () => {
    const user = `u${Math.random()}`;
    const client = createClient({ url: gateway.wsUrl, token: () => sign({ sub: user, subscribe: [`user:${user}`] }) });
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const seen: unknown[] = [];
    const subscription = client.channel(`user:${user}`).subscribe(({ data }) => seen.push(data));
    await client.connect();
    for (let n = 1; n <= 20; n++) {
      await gateway.publish({ channel: `user:${user}`, data: n });
      if (n === 10) await subscription.ready();
    }
    await expect.poll(() => seen.at(-1)).toBe(20);
    expect(seen.slice(-10)).toEqual(Array.from({ length: 10 }, (_, index) => index + 11));
    expect(new Set(seen).size).toBe(seen.length);
    expect(errors).toEqual([]);
    client.close();
  });
});

it('the SDK outlives its tokens: it fetches the next, and loses nothing', async () => {
  const user = `u${Math.random()}`;
  let firstEndsAtMs = 0;
  let fetched = 0;
  const token = () => {
    // The backend is down until the first token has run out.
    if (Date.now() < firstEndsAtMs) throw new Error('no token');
    fetched++;
    const exp = inSeconds(firstEndsAtMs ? 6 : 3);
    firstEndsAtMs ||= exp * 1000;
    return sign({ sub: user, exp });
  };
  const client = createClient({ url: gateway.wsUrl, token });
  client.on('error', () => {});
  const seen: unknown[] = [];
  client.channel(`user:${user}`).subscribe(({ data }) => seen.push(data), { rewind: 100 });
  await client.connect();
  let published = 0;
  while (fetched < 3 || published < 40) {
    await gateway.publish({ channel: `user:${user}`, data: ++published });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await expect.poll(() => seen.length).toBe(published);
  expect(seen).toEqual(Array.from({ length: published }, (_, index) => index + 1));
  expect(client.stats.reconnects).toBe(1);
  client.close();
});
