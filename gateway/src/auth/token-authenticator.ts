/** The authenticator of a gateway that verifies tokens: a client is who its token says, or anonymous. */
import { FanfareError } from '../errors.js';
import type { Authenticator, ChannelGrant, Identity } from './authenticator.js';
import type { Claims } from './claims.js';
import type { TokenVerifier } from './jwt.js';
import { ANONYMOUS } from './open.js';

interface TokenAuthenticatorOptions {
  readonly verifier: TokenVerifier;
  /** Whether a client without a token may connect. It may then do what is open to anyone. */
  readonly allowAnonymous: boolean;
}

export function createTokenAuthenticator({ verifier, allowAnonymous }: TokenAuthenticatorOptions): Authenticator {
  return {
    authenticate({ token }) {
      if (token) return verifier.verify(token).then(toIdentity);
      if (allowAnonymous) return ANONYMOUS;
      throw new FanfareError('unauthorized', 'give a token');
    },
    readChannelToken: (token) => verifier.verify(token).then(toChannelGrant),
  };
}

export function toIdentity({ permissions, ...claims }: Claims): Identity {
  return { ...claims, grants: permissions };
}

function toChannelGrant({ permissions, user, expiresAt, issuedAt, tokenId }: Claims): ChannelGrant {
  return {
    grants: permissions,
    ...(user !== undefined && { user }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(issuedAt !== undefined && { issuedAt }),
    ...(tokenId !== undefined && { tokenId }),
  };
}
