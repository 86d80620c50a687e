import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { createTokenVerifier } from './jwt.js';
import { RemoteKeys, type RemoteKeysState } from './remote-keys.js';

let issuer: Server;
let url: string;
let fetches: number;
let answer: { status: number; body: string };
const clock = new ManualClock();
const states: RemoteKeysState[] = [];

beforeEach(async () => {
  fetches = 0;
  states.length = 0;
  answer = { status: 200, body: '{"keys":[]}' };
  issuer = createServer((_, response) => {
    fetches++;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks.json`;
});
afterEach(() => new Promise((resolve) => issuer.close(resolve)));

async function keyNamed(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const token = await new SignJWT({ sub: kid }).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
  return { jwk: { ...(await exportJWK(publicKey)), kid }, token };
}
const serve = (...keys: readonly { jwk: object }[]) => {
  answer = { status: 200, body: JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) };
};
function verifierOf() {
  const remoteKeys = new RemoteKeys({ url, clock, onState: (state) => states.push(state) });
  const { verify } = createTokenVerifier({ clock, secrets: [], publicKeys: [], remoteKeys, clockToleranceMs: 0 });
  return (token: string) =>
    verify(token).then(
      ({ user }) => user,
      ({ code }: { code: string }) => code,
    );
}
/** Lets what is under way over the network come to its next wait of the clock. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50));

it('keys are fetched once for all who wait, and kept', async () => {
  const one = await keyNamed('one');
  serve(one);
  const verify = verifierOf();
  expect(await Promise.all([verify(one.token), verify(one.token)])).toEqual(['one', 'one']);
  expect(await verify(one.token)).toBe('one');
  expect(fetches).toBe(1);
});

it('a key that was added is found, one that was taken away is gone after the time keys are fresh', async () => {
  const [one, two] = [await keyNamed('one'), await keyNamed('two')];
  serve(one);
  const verify = verifierOf();
  expect(await verify(one.token)).toBe('one');
  clock.advance(6_000);
  serve(two);
  expect(await verify(two.token)).toBe('two');
  clock.advance(600_000);
  expect(await verify(one.token)).toBe('unauthorized');
});

it('tokens of unknown keys cause one fetch a cooldown, and each gets a true answer', async () => {
  const [one, two] = [await keyNamed('one'), await keyNamed('two')];
  serve(one);
  const verify = verifierOf();
  expect(await verify(two.token)).toBe('unauthorized');
  expect(fetches).toBe(1);
  const answers = Promise.all([verify(two.token), verify(two.token), verify((await keyNamed('three')).token)]);
  await settled();
  expect(fetches).toBe(1);
  serve(one, two);
  clock.advance(5_000);
  expect(await answers).toEqual(['two', 'two', 'unauthorized']);
  expect(fetches).toBe(2);
});

it('a URL that does not answer: known keys serve on, others are told to come again, and it is told once', async () => {
  const [one, two] = [await keyNamed('one'), await keyNamed('two')];
  const verify = verifierOf();
  answer = { status: 500, body: 'sorry' };
  expect(await verify(one.token)).toBe('unavailable');
  expect(await verify(one.token)).toBe('unavailable');
  expect(fetches).toBe(1);
  expect(states).toEqual([{ url, keys: 0, problem: 'answered 500' }]);
  serve(one);
  clock.advance(5_000);
  expect(await verify(one.token)).toBe('one');
  expect(states[1]).toEqual({ url, keys: 1 });
  answer = { status: 200, body: 'no JSON' };
  clock.advance(600_000);
  expect(await verify(one.token)).toBe('one');
  expect(await verify(two.token)).toBe('unavailable');
  expect(states[2]).toMatchObject({ keys: 1, problem: expect.stringContaining('JSON') });
  clock.advance(86_400_000);
  expect(await verify(one.token)).toBe('unavailable');
});

it('secret keys at the URL are no keys', async () => {
  answer = { status: 200, body: JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'one' }] }) };
  const token = await new SignJWT({ sub: 'u' })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .sign(Buffer.from('secret'));
  expect(await verifierOf()(token)).toBe('unauthorized');
  expect(fetches).toBe(0);
});
