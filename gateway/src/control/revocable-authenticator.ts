import type { Authenticator } from '../auth/authenticator.js';
import type { Revocations } from './revocations.js';

/** Makes an authenticator that refuses revoked tokens, on top of another one. */
export function createRevocableAuthenticator(
  authenticator: Authenticator,
  revocations: Pick<Revocations, 'check'>,
): Authenticator {
  return {
    authenticate(credentials) {
      const identity = authenticator.authenticate(credentials);
      return identity instanceof Promise ? identity.then((one) => revocations.check(one)) : revocations.check(identity);
    },
    readChannelToken: (token) => authenticator.readChannelToken(token).then((grant) => revocations.check(grant)),
  };
}
