/**
 * The authenticator of a gateway without a token verifier: everyone is anonymous, and may do what a
 * namespace opens to `anyone`.
 */
import { FanfareError } from '../errors.js';
import type { Authenticator, Identity } from './authenticator.js';
import { NO_PERMISSIONS } from './permissions.js';

interface OpenAuthenticatorOptions {
  /**
   * What happens to a token that nobody here can verify: ignored (development), or refused as
   * `unauthorized`, so that a client does not believe it was recognised (production).
   */
  readonly tokens: 'ignored' | 'refused';
}

/** A client that says nothing of itself. */
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
