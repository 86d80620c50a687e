import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier, MAX_TOKEN_BYTES, type TokenVerifierOptions } from './jwt.js';
import { parsePublicKeys } from './public-keys.js';

const SECRET = 'a secret of at least thirty-two bytes';
const NOW_S = 1_800_000_000;

const pairs = {
  RS256: await generateKeyPair('RS256', { extractable: true }),
  ES256: await generateKeyPair('ES256', { extractable: true }),
  EdDSA: await generateKeyPair('EdDSA', { extractable: true }),
};
const others = { RS256: await generateKeyPair('RS256'), ES256: await generateKeyPair('ES256') };

const hmac = (payload: JWTPayload = { sub: 'u1' }, secret = SECRET, alg = 'HS256') =>
  new SignJWT(payload).setProtectedHeader({ alg }).sign(Buffer.from(secret));
const verifier = (options: Partial<TokenVerifierOptions> = {}) =>
  createTokenVerifier({
    clock: { wall: () => NOW_S * 1000 },
    secrets: [SECRET],
    publicKeys: [],
    clockToleranceMs: 5_000,
    ...options,
  });
const publicKeysOf = async (...algorithms: readonly (keyof typeof pairs)[]) =>
  parsePublicKeys((await Promise.all(algorithms.map((one) => exportSPKI(pairs[one].publicKey)))).join('\n'));
const refusal = (token: string, options?: Partial<TokenVerifierOptions>) =>
  verifier(options)
    .verify(token)
    .then(
      () => 'accepted',
      ({ code }: { code: string }) => code,
    );
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token', () => {
  it('of the secret says who it is and what they may', async () => {
    const claims = await verifier().verify(
      await hmac({
        sub: 'u1',
        exp: NOW_S + 60,
        iat: NOW_S,
        jti: 't1',
        channels: { 'chat:*': ['subscribe', 'fly'] },
        info: { name: 'Ann' },
        subscribe: ['user:u1', 'user:u1'],
      }),
    );
    expect(claims).toMatchObject({
      user: 'u1',
      expiresAt: (NOW_S + 60) * 1000,
      issuedAt: NOW_S * 1000,
      tokenId: 't1',
      info: { name: 'Ann' },
      subscribe: ['user:u1'],
    });
    expect(claims.permissions.allows('subscribe', 'chat:1')).toBe(true);
    expect(claims.permissions.allows('publish', 'chat:1')).toBe(false);
  });

  it.each(['RS256', 'ES256', 'EdDSA'] as const)(
    'of %s is verified by the public key, as PEM and as JWK',
    async (alg) => {
      const token = await new SignJWT({ sub: alg }).setProtectedHeader({ alg }).sign(pairs[alg].privateKey);
      const jwk = JSON.stringify(await exportJWK(pairs[alg].publicKey));
      for (const publicKeys of [await publicKeysOf(alg), parsePublicKeys(jwk)]) {
        expect(await verifier({ secrets: [], publicKeys }).verify(token)).toMatchObject({ user: alg });
      }
      const publicKeys = await publicKeysOf(...(['RS256', 'ES256', 'EdDSA'] as const).filter((other) => other !== alg));
      expect(await refusal(token, { publicKeys })).toBe('unauthorized');
    },
  );

  it('is taken under any of several keys, and under the secret that was before', async () => {
    const [old, current] = [await generateKeyPair('ES256'), pairs.ES256];
    const publicKeys = parsePublicKeys(
      `${await exportSPKI(old.publicKey)}${await exportSPKI(current.publicKey)}`.replaceAll('\n', '\\n'),
    );
    for (const { privateKey } of [old, current]) {
      const token = await new SignJWT({ sub: 'u' }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
      expect(await refusal(token, { publicKeys })).toBe('accepted');
    }
    expect(await refusal(await hmac(undefined, 'the secret that was in use before this one'))).toBe('unauthorized');
    const secrets = [SECRET, 'the secret that was in use before this one'];
    expect(await refusal(await hmac(undefined, secrets[1]), { secrets })).toBe('accepted');
  });
});

describe('refused is', () => {
  it('what nobody signed: none, in any spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      for (const signature of ['', 'AAAA']) {
        const token = `${base64url({ alg })}.${base64url({ sub: 'u1' })}.${signature}`;
        expect(await refusal(token, { publicKeys: await publicKeysOf('RS256') })).toBe('unauthorized');
      }
    }
  });

  it('a public key used as a secret', async () => {
    const publicKeys = await publicKeysOf('RS256', 'ES256', 'EdDSA');
    const pem = await exportSPKI(pairs.RS256.publicKey);
    for (const secrets of [[], [SECRET]]) {
      expect(await refusal(await hmac(undefined, pem), { secrets, publicKeys })).toBe('unauthorized');
      expect(await refusal(await hmac(undefined, pem.trim()), { secrets, publicKeys })).toBe('unauthorized');
    }
  });

  it('another algorithm of the same key', async () => {
    expect(await refusal(await hmac(undefined, SECRET.padEnd(64), 'HS512'), { secrets: [SECRET.padEnd(64)] })).toBe(
      'unauthorized',
    );
  });

  it('another key, a changed payload, another signature', async () => {
    const publicKeys = await publicKeysOf('RS256', 'ES256');
    for (const alg of ['RS256', 'ES256'] as const) {
      const token = await new SignJWT({ sub: 'u1' }).setProtectedHeader({ alg }).sign(others[alg].privateKey);
      expect(await refusal(token, { publicKeys })).toBe('unauthorized');
    }
    const [header, , signature] = (await hmac()).split('.');
    expect(await refusal(`${header}.${base64url({ sub: 'admin' })}.${signature}`)).toBe('unauthorized');
    expect(await refusal(await hmac(undefined, 'another secret of at least thirty-two bytes'))).toBe('unauthorized');
  });

  it('one that brings or names its own key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const headers = [
      { alg: 'ES256', jwk: await exportJWK(publicKey) },
      { alg: 'ES256', jku: 'http://127.0.0.1:1/keys' },
      { alg: 'ES256', x5u: 'http://127.0.0.1:1/cert', kid: 'https://elsewhere.example/key' },
      { alg: 'ES256', kid: '../../../../dev/null' },
    ];
    for (const header of headers) {
      const token = await new SignJWT({ sub: 'u1' }).setProtectedHeader(header).sign(privateKey);
      expect(await refusal(token, { publicKeys: await publicKeysOf('ES256') })).toBe('unauthorized');
    }
  });

  it('what is cut off, or no token at all', async () => {
    const token = await hmac();
    for (let length = 0; length < token.length; length += 7) {
      expect(await refusal(token.slice(0, length))).toBe('unauthorized');
    }
    for (const text of ['a', 'a.b', 'a.b.c', 'a.b.c.d.e', '..', `${token}.`, ` ${token}`, `${token}=`, '\0', 'é']) {
      expect(await refusal(text), text).toBe('unauthorized');
    }
  });

  it('one of a megabyte, before it is looked at', async () => {
    expect(await refusal(await hmac({ sub: 'u1', pad: 'x'.repeat(1_000_000) }))).toBe('unauthorized');
    expect(await refusal(await hmac({ sub: 'u1', pad: 'x'.repeat(MAX_TOKEN_BYTES / 2) }))).toBe('accepted');
  });

  it.each([
    ['expired', { exp: NOW_S - 6 }, 'token_expired'],
    ['within the tolerance', { exp: NOW_S - 4 }, 'accepted'],
    ['not valid yet', { nbf: NOW_S + 6 }, 'unauthorized'],
    ['of a clock ahead within the tolerance', { nbf: NOW_S + 4 }, 'accepted'],
    ['of a wrong issuer', { iss: 'other', aud: 'fanfare' }, 'unauthorized'],
    ['of no issuer', { iss: undefined, aud: 'fanfare' }, 'unauthorized'],
    ['of a wrong audience', { aud: 'another application' }, 'unauthorized'],
    ['of no audience', { aud: undefined }, 'unauthorized'],
    ['of several audiences', { aud: ['x', 'fanfare'] }, 'accepted'],
  ])('one %s', async (_, payload, expected) => {
    const token = await hmac({ iss: 'me', aud: 'fanfare', ...payload } as JWTPayload);
    expect(await refusal(token, { issuer: 'me', audience: 'fanfare' })).toBe(expected);
  });

  it.each([
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: 'x'.repeat(256) }],
    [{ sub: '\ud800' }],
    [{ exp: 'soon' }],
    [{ exp: 1e300 }],
    [{ channels: [] }],
    [{ channels: { 'chat:*': 'subscribe' } }],
    [{ channels: { 'chat:*': [1] } }],
    [{ subscribe: 'user:u1' }],
    [{ subscribe: ['a b'] }],
    [{ subscribe: Array.from({ length: 101 }, (_, index) => `c:${index}`) }],
    [{ info: 'x'.repeat(5000) }],
    [{ jti: {} }],
  ])('claims that are none: %j', async (payload) => {
    expect(await refusal(await hmac(payload as JWTPayload))).toBe('unauthorized');
  });
});

it('one within the tolerance holds until the tolerance ends', async () => {
  expect((await verifier().verify(await hmac({ exp: NOW_S - 4 }))).expiresAt).toBe((NOW_S + 1) * 1000);
});

describe('public keys', () => {
  it.each([
    ['no key', 'is neither PEM nor JSON'],
    ['{', 'is neither PEM nor JSON'],
    ['{"keys":[]}', 'has no key for RS256, ES256, EdDSA'],
    ['{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', 'has no key for'],
    ['{"kty":"EC","crv":"P-384","x":"","y":""}', 'is no RSA, P-256 or Ed25519 key'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'no public key'],
  ])('%s: %s', (text, why) => {
    expect(() => parsePublicKeys(text)).toThrow(why);
  });

  it('refuse a private key, which belongs elsewhere', async () => {
    const jwk = JSON.stringify(await exportJWK(pairs.ES256.privateKey));
    expect(() => parsePublicKeys(jwk)).toThrow('private key');
    const pem = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';
    expect(() => parsePublicKeys(pem)).toThrow('private key');
  });
});
