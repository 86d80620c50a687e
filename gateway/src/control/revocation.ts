/** What was revoked: all tokens of a user that were made until some time, or one token by its id. */
import type { ChannelGrant, Identity } from '../auth/authenticator.js';

export interface Revocation {
  readonly kind: 'user' | 'token';
  /** The user, or the `jti` of the token. */
  readonly id: string;
  /**
   * Time of the revocation, ms since the Unix epoch, by the clock of the gateway that was asked. Tokens of the user
   * that were made later are valid.
   */
  readonly atMs: number;
  /** When the revocation ends, ms since the Unix epoch. */
  readonly untilMs: number;
}

/** Where revocations are kept so that they outlast a gateway, and are found by the other gateways. */
export interface RevocationStore {
  /**
   * Keeps these revocations. If there is one for the same user or token already, the later times of both hold. @throws
   * {FanfareError} `unavailable`
   */
  write(revocations: readonly Revocation[]): Promise<void>;
  /**
   * Reads all revocations that hold now; `undefined` if nothing changed since `version`.
   * @param version the version of the answer before; `''` if there was none
   * @throws {FanfareError} `unavailable`
   */
  read(version: string): Promise<{ readonly version: string; readonly revocations: readonly Revocation[] } | undefined>;
}

/**
 * Whether a revocation concerns a token. That of a user also concerns tokens without `iat`, because nobody knows when
 * they were made. `iat` counts whole seconds, so a token that was made in the second of the revocation counts as made
 * before it.
 */
export function concerns({ kind, id, atMs }: Revocation, token: Identity | ChannelGrant): boolean {
  if (kind === 'token') return token.tokenId === id;
  return token.user === id && (token.issuedAt ?? 0) <= atMs;
}
