/** What was revoked: all tokens of a user made until then, or one token by its id. */
import type { ChannelGrant, Identity } from '../auth/authenticator.js';

export interface Revocation {
  readonly kind: 'user' | 'token';
  /** The user, or the token's `jti`. */
  readonly id: string;
  /** Of a user: tokens made later hold. Ms since the Unix epoch, by the clock of the gateway that was asked. */
  readonly atMs: number;
  /** When it ends, ms since the Unix epoch. */
  readonly untilMs: number;
}

/** Where revocations outlast a gateway, and are found by the others. */
export interface RevocationStore {
  /** Keeps them; of what is there already, the later times hold. @throws {FanfareError} `unavailable` */
  write(revocations: readonly Revocation[]): Promise<void>;
  /**
   * All that hold; `undefined`: nothing changed since `version`.
   * @param version of the answer before; `''`: there was none
   * @throws {FanfareError} `unavailable`
   */
  read(version: string): Promise<{ readonly version: string; readonly revocations: readonly Revocation[] } | undefined>;
}

/**
 * Whether it concerns a token. Of a user, those without `iat` too: nobody knows when they were made. `iat` counts whole
 * seconds, so that a token of the very second counts as made before.
 */
export function concerns({ kind, id, atMs }: Revocation, token: Identity | ChannelGrant): boolean {
  if (kind === 'token') return token.tokenId === id;
  return token.user === id && (token.issuedAt ?? 0) <= atMs;
}
