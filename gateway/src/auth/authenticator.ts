/**
 * The authenticator port: who a client is, and what its credentials allow. Engines decide how tokens look. What a
 * namespace makes of that is decided in one place, `channels/access.ts`.
 */
export type Action = 'subscribe' | 'publish' | 'presence' | 'history';

interface Credentials {
  /** The token from `connect`, `?token=` or the `Authorization` header. */
  readonly token: string | undefined;
  readonly remoteAddress: string;
}

/** What credentials allow by themselves. */
export interface Grants {
  /** Whether this is allowed on the channel of this name. */
  allows(action: Action, channel: string): boolean;
  /** Whether this is allowed on every channel whose name begins with `prefix`. */
  allowsAll(action: Action, prefix: string): boolean;
}

export interface Identity {
  /** The user. Absent: the client is anonymous. */
  readonly user?: string;
  /**
   * Whether it is a backend with an API key. What the key allows is then allowed, whatever a namespace says about
   * clients.
   */
  readonly isBackend?: boolean;
  readonly grants: Grants;
  /** When it ends, ms since the Unix epoch; absent: never. */
  readonly expiresAt?: number;
  /** When the token was made, ms since the Unix epoch. A revoke finds the token by this, or by `tokenId`. */
  readonly issuedAt?: number;
  readonly tokenId?: string;
  /** What the token says about the user for others to see in presence, as plain JSON. */
  readonly info?: unknown;
  /** Channels that a session of this identity is put on at once. */
  readonly subscribe?: readonly string[];
}

/** What a channel token gives: permissions for one subscription, for as long as that lasts. */
export interface ChannelGrant {
  readonly grants: Grants;
  /** The user to whom the token belongs. Absent: to whoever has it. */
  readonly user?: string;
  /** When it ends, ms since the Unix epoch; absent: never. */
  readonly expiresAt?: number;
  /** When the token was made, ms since the Unix epoch. A revoke finds the token by this, or by `tokenId`. */
  readonly issuedAt?: number;
  readonly tokenId?: string;
}

export interface Authenticator {
  /** Finds out who a client is. @throws {FanfareError} `unauthorized`, `token_expired`, `forbidden`, `unavailable` */
  authenticate(credentials: Credentials): Identity | Promise<Identity>;
  /** Reads what the token of a `subscribe` gives. @throws {FanfareError} as `authenticate` */
  readChannelToken(token: string): Promise<ChannelGrant>;
}
