import { describe, expect, it } from 'vitest';
import type { Access, ChannelPolicy } from '../namespaces.js';
import type { Identity } from './authenticator.js';
import { createOpenAuthenticator } from './open.js';
import { createOriginCheck } from './origin.js';

const policy = (publish: Access, subscribe: Exclude<Access, 'none'>, presence = true): ChannelPolicy => ({
  name: 'x',
  durable: true,
  historySize: 1,
  historyTtlMs: 1000,
  maxMessageBytes: 1,
  publish,
  subscribe,
  presence,
});

describe('without a token verifier', () => {
  const open = createOpenAuthenticator({ tokens: 'ignored' });
  const anonymous = open.authenticate({ token: undefined, remoteAddress: '' }) as Identity;

  it('everyone is anonymous and may do what is open to anyone', () => {
    expect(anonymous.user).toBeUndefined();
    for (const action of ['subscribe', 'history', 'presence', 'publish'] as const) {
      expect(anonymous.allows(action, policy('anyone', 'anyone'))).toBe(true);
      for (const access of ['token', 'authenticated'] as const) {
        expect(anonymous.allows(action, policy(access, access))).toBe(false);
      }
    }
    expect(anonymous.allows('publish', policy('none', 'anyone'))).toBe(false);
    expect(anonymous.allows('history', policy('none', 'anyone'))).toBe(true);
    expect(anonymous.allows('presence', policy('none', 'anyone', false))).toBe(false);
  });

  it('a token is ignored in development, refused in production', () => {
    expect(open.authenticate({ token: 'x', remoteAddress: '' })).toBe(anonymous);
    const strict = createOpenAuthenticator({ tokens: 'refused' });
    expect(() => strict.authenticate({ token: 'x', remoteAddress: '' })).toThrow(
      expect.objectContaining({ code: 'unauthorized' }),
    );
    expect(strict.authenticate({ token: undefined, remoteAddress: '' })).toBe(anonymous);
    expect(strict.authenticate({ token: '', remoteAddress: '' })).toBe(anonymous);
  });
});

describe('origins', () => {
  const allowed = createOriginCheck(['https://App.example', 'https://*.b.example', 'http://localhost:*']);

  it.each([
    ['https://app.example', true],
    ['HTTPS://APP.EXAMPLE', true],
    ['http://app.example', false],
    ['https://app.example.evil', false],
    ['https://x.b.example', true],
    ['https://b.example', false],
    ['https://evil/.b.example', false],
    ['https://xb.example', false],
    ['https://x.bxexample', false],
    ['http://localhost:5173', true],
    ['http://localhost', false],
    ['null', false],
    ['', true],
  ])('%s: %j', (origin, passes) => {
    expect(allowed(origin, 'gateway:1')).toBe(passes);
  });

  it('of the gateway itself pass, and all do under *', () => {
    expect(allowed('https://gateway:1', 'gateway:1')).toBe(true);
    expect(allowed('https://gateway:2', 'gateway:1')).toBe(false);
    expect(createOriginCheck(['*'])('https://any', '')).toBe(true);
    expect(createOriginCheck([])('https://any', '')).toBe(false);
  });
});
