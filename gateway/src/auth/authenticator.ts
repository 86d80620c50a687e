/**
 * The authenticator port: who is this, and what may they do. Engines decide how tokens look.
 */
import type { ChannelPolicy } from '../namespaces.js';

export type Action = 'subscribe' | 'publish' | 'presence' | 'history';

export interface Credentials {
  readonly token: string | undefined;
  readonly remoteAddress: string;
}

export interface Identity {
  /** Absent: anonymous. */
  readonly user?: string;
  /** What its token says of the user, for others to see in presence; plain JSON. */
  readonly info?: unknown;
  /** When it ends, ms since the Unix epoch; absent: never. */
  readonly expiresAt?: number;
  allows(action: Action, channel: ChannelPolicy): boolean;
}

export interface Authenticator {
  /** @throws {FanfareError} `unauthorized` or `token_expired`. */
  authenticate(credentials: Credentials): Identity | Promise<Identity>;
}
