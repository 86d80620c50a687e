import { expect, it } from 'vitest';
import { ANONYMOUS, createOpenAuthenticator } from './open.js';

it('without a token verifier everyone is anonymous; a token is ignored in development, refused in production', () => {
  const open = createOpenAuthenticator({ tokens: 'ignored' });
  expect(open.authenticate({ token: undefined, remoteAddress: '' })).toBe(ANONYMOUS);
  expect(open.authenticate({ token: 'x', remoteAddress: '' })).toBe(ANONYMOUS);
  const strict = createOpenAuthenticator({ tokens: 'refused' });
  expect(() => strict.authenticate({ token: 'x', remoteAddress: '' })).toThrow(
    expect.objectContaining({ code: 'unauthorized' }),
  );
  expect(strict.authenticate({ token: undefined, remoteAddress: '' })).toBe(ANONYMOUS);
  expect(strict.authenticate({ token: '', remoteAddress: '' })).toBe(ANONYMOUS);
});
