/** What a start in production refuses, and warns of, in plain words. */
import { describe, expect, it } from 'vitest';
import { startGatewayProcess } from '../support/gateway-process.js';
import { fanfare } from '../support/program.js';

const KEY = { FANFARE_API_KEYS: 'a-key-that-is-long-enough' };

describe.concurrent('a start in production', () => {
  it.each<[what: string, env: Record<string, string>, words: string]>([
    ['without keys', {}, 'apiKeys: production needs at least one API key (FANFARE_API_KEYS)'],
    [
      'with the key dev',
      { FANFARE_API_KEYS: 'dev' },
      'apiKeys (FANFARE_API_KEYS): production refuses the API key "dev"',
    ],
    [
      'with a weak secret',
      { ...KEY, FANFARE_JWT_SECRET: 'x'.repeat(31) },
      'jwtSecret (FANFARE_JWT_SECRET): production needs a secret of at least 32 bytes: openssl rand -base64 48',
    ],
    [
      'with a JWKS and no audience',
      { ...KEY, FANFARE_JWT_JWKS_URL: 'https://example.com/keys' },
      'jwtAudience: production needs an audience with jwtJwksUrl',
    ],
  ])('%s is refused', async (_, env, words) => {
    const { code, stdout, stderr } = await fanfare(['serve'], { NODE_ENV: 'production', FANFARE_PORT: '0', ...env });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });

  it('with an open namespace, or a short key, is warned about and served', async ({ expect }) => {
    const gateway = await startGatewayProcess({
      settings: { MODE: 'production', HOST: '127.0.0.1', API_KEYS: 'short', STOP_DELAY_MS: '0', DRAIN_MS: '0' },
      file: { namespaces: { open: { subscribe: 'anyone', publish: 'anyone' }, closed: { subscribe: 'token' } } },
    });
    try {
      for (const words of [
        'anyone may subscribe to channels of the namespace open, without a token',
        'anyone may publish to channels of the namespace open, without a token',
        'no client may subscribe to channels of the namespace closed: give jwtSecret',
        'has less than 16 characters: it can be guessed',
      ]) {
        await expect.poll(() => gateway.output()).toContain(words);
      }
    } finally {
      await gateway.stop();
    }
  });
});
