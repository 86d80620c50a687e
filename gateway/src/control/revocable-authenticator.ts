import type { Authenticator } from '../auth/authenticator.js';
import type { Revocations } from './revocations.js';

/** An authenticator whose tokens can be revoked. */
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
