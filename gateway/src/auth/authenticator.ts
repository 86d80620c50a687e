/**
 * The authenticator port: who is this, and what do their credentials allow. Engines decide how tokens look; what a
 * namespace makes of it is decided in one place, `channels/access.ts`.
 */
export type Action = 'subscribe' | 'publish' | 'presence' | 'history';

interface Credentials {
  /** From `connect`, `?token=` or the `Authorization` header. */
  readonly token: string | undefined;
  readonly remoteAddress: string;
}

/** What credentials allow by themselves. */
export interface Grants {
  /** @param channel its name */
  allows(action: Action, channel: string): boolean;
  /** Whether it is allowed on every channel whose name begins with `prefix`. */
  allowsAll(action: Action, prefix: string): boolean;
}

export interface Identity {
  /** Absent: anonymous. */
  readonly user?: string;
  /** A backend with an API key: what the key allows is allowed, whatever a namespace says of clients. */
  readonly isBackend?: boolean;
  readonly grants: Grants;
  /** When it ends, ms since the Unix epoch; absent: never. */
  readonly expiresAt?: number;
  /** When its token was made, ms since the Unix epoch, and its name: by these a revoke finds it. */
  readonly issuedAt?: number;
  readonly tokenId?: string;
  /** What its token says of the user, for others to see in presence; plain JSON. */
  readonly info?: unknown;
  /** Channels that a session of it is put on at once. */
  readonly subscribe?: readonly string[];
}

/** What a channel token gives: permissions for one subscription, while it lasts. */
export interface ChannelGrant {
  readonly grants: Grants;
  /** Whose it is; absent: of whoever has it. */
  readonly user?: string;
  /** When it ends, ms since the Unix epoch; absent: never. */
  readonly expiresAt?: number;
  /** As of {@link Identity}. */
  readonly issuedAt?: number;
  readonly tokenId?: string;
}

export interface Authenticator {
  /** Who a client is. @throws {FanfareError} `unauthorized`, `token_expired`, `forbidden`, `unavailable` */
  authenticate(credentials: Credentials): Identity | Promise<Identity>;
  /** What the token of a `subscribe` gives. @throws {FanfareError} as `authenticate` */
  readChannelToken(token: string): Promise<ChannelGrant>;
}
