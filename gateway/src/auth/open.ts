/**
 * The authenticator of a gateway without a token verifier: everyone is anonymous, and may do what a
 * namespace opens to `anyone`.
 */
import { FanfareError } from '../errors.js';
import type { Authenticator, Identity } from './authenticator.js';
import { NO_PERMISSIONS } from './permissions.js';

interface OpenAuthenticatorOptions {
  /**
   * What happens to a token, which nobody here can verify. In development it is ignored. In production it is refused as
   * `unauthorized`, so that a client does not believe that it was recognised.
   */
  readonly tokens: 'ignored' | 'refused';
}

/** The identity of a client that says nothing about itself. */
export const ANONYMOUS: Identity = { grants: NO_PERMISSIONS };

export function createOpenAuthenticator({ tokens }: OpenAuthenticatorOptions): Authenticator {
  const refusal = () => new FanfareError('unauthorized', 'this gateway has no token verifier');
  return {
    authenticate({ token }) {
      if (token && tokens === 'refused') throw refusal();
      return ANONYMOUS;
    },
    async readChannelToken() {
      if (tokens === 'refused') throw refusal();
      return ANONYMOUS;
    },
  };
}
