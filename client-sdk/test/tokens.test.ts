/** Tokens that a backend signs, judged by real gateways. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { createClient, defineChannels, durable, live } from '../src/index.js';
import { signToken } from '../src/tokens.js';
import { rejectionOf } from './support.js';

const SECRET = 'a secret of at least thirty-two bytes';
const FILE = { namespaces: { chat: { subscribe: 'token', publish: 'token' }, tick: { durable: false } } };

async function clientOf(settings: Readonly<Record<string, string>>, token: string) {
  const gateway = await startGatewayProcess({ settings, file: FILE });
  onTestFinished(() => gateway.stop());
  const client = createClient({ url: gateway.wsUrl, token });
  onTestFinished(() => client.close());
  client.on('error', () => {});
  client.connect();
  return client;
}

describe('a signed token', () => {
  it('says who it is, and allows what it grants and nothing else', async () => {
    const channels = defineChannels({ 'chat:*': durable<{ text: string }>() });
    const grants = { 'chat:1': ['subscribe', 'publish'], 'chat:2': ['publish'] } as const;
    const info = { name: 'Ädä' };
    const token = await signToken({ key: SECRET, user: 'u1', expiresInS: 60, channels, grants, info });
    const client = await clientOf({ JWT_SECRET: SECRET }, token);
    await client.ready();
    expect(client.session).toMatchObject({ user: 'u1' });
    expect(client.session?.expiresIn).toBeLessThanOrEqual(60_000);
    await client.channel('chat:1').subscribe().ready();
    expect((await client.channel('chat:2').publish({ text: 'hi' })).offset).toBe(1);
    const refused = client.channel('chat:2').subscribe();
    refused.on('error', () => {});
    expect((await rejectionOf(refused.ready())).code).toBe('forbidden');
    expect((await rejectionOf(client.channel('chat:3').publish(1))).code).toBe('forbidden');
  });

  it.each([
    ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
    ['EdDSA', { name: 'Ed25519' }],
  ])('may be one of %s', async (_, algorithm) => {
    const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
    const spki = Buffer.from(await crypto.subtle.exportKey('spki', pair.publicKey)).toString('base64');
    const pem = `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----`;
    const token = await signToken({ key: pair.privateKey, user: 'u2', expiresInS: 60 });
    const client = await clientOf({ JWT_PUBLIC_KEY: pem }, token);
    await client.ready();
    expect(client.session?.user).toBe('u2');
  });

  it('is refused by a gateway that has another secret', async () => {
    const token = await signToken({ key: SECRET, user: 'u1', expiresInS: 60 });
    const client = await clientOf({ JWT_SECRET: `${SECRET}, another` }, token);
    expect((await rejectionOf(client.ready())).code).toBe('unauthorized');
  });

  it('is not made where it would be wrong', async () => {
    const channels = defineChannels({ 'chat:*': durable<string>(), 'tick:*': live<number>() });
    const base = { key: SECRET, expiresInS: 60 };
    const wrong: [string, Promise<string>][] = [
      ['at least 32 bytes', signToken({ ...base, key: 'short' })],
      ['expiresInS', signToken({ ...base, expiresInS: 0 })],
      ['user has', signToken({ ...base, user: 'x'.repeat(256) })],
      ['info is over', signToken({ ...base, info: 'x'.repeat(4_097) })],
      ['no such action', signToken({ ...base, grants: { 'chat:1': ['read' as 'subscribe'] } })],
      ['not a channel name', signToken({ ...base, grants: { 'chat 1': ['subscribe'] } })],
      ['no channel of the map', signToken({ ...base, channels, grants: { 'chat*': ['subscribe'] } as never })],
      ['has no history', signToken({ ...base, channels, grants: { 'tick:1': ['history' as 'subscribe'] } })],
    ];
    for (const [text, made] of wrong) {
      const error = await rejectionOf(made);
      expect([error.code, error.message]).toEqual(['bad_request', expect.stringContaining(text)]);
    }
  });
});
