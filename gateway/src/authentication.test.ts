import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createAuthentication } from './authentication.js';
import { systemClock } from './clock.js';
import { loadConfig } from './config/config.js';
import { createLogger } from './observability/logger.js';

const logger = createLogger({ level: 'silent', format: 'json', node: 'n', destination: { write() {} } });
/** Signed by nobody: it only makes the gateway look for the key. */
const TOKEN = `${Buffer.from('{"alg":"RS256","kid":"k"}').toString('base64url')}.e30.AAAA`;

const authenticationOf = (env: Record<string, string>) =>
  createAuthentication(loadConfig({ argv: [], env, cwd: '/nowhere' }), systemClock, logger);

it('asks nobody where nothing is configured', () => {
  const { services, jwksKeys } = authenticationOf({});
  expect([services(), jwksKeys()]).toEqual([[], undefined]);
});

it('tells whether the JWKS URL answers, and how many keys there are', async () => {
  const { publicKey } = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify']);
  const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey as CryptoKey)), kid: 'k', alg: 'EdDSA', use: 'sig' };
  const issuer = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] }))).listen(0, '127.0.0.1');
  onTestFinished(() => void issuer.close());
  await new Promise((resolve) => issuer.once('listening', resolve));
  const { port } = issuer.address() as AddressInfo;
  const look = async (url: string) => {
    const { authenticator, services, jwksKeys } = authenticationOf({ FANFARE_JWT_JWKS_URL: url });
    const attempt = async () => authenticator.authenticate({ token: TOKEN, remoteAddress: '' });
    await attempt().catch(() => {});
    return [services(), jwksKeys()];
  };
  expect(await look(`http://127.0.0.1:${port}/`)).toEqual([[{ service: 'jwks', isUp: true }], 1]);
  expect(await look('http://127.0.0.1:9/')).toEqual([[{ service: 'jwks', isUp: false }], 0]);
});
