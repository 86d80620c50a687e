/** What a backend can do about connections, over all gateways: the port between the HTTP API and `Control`. */

/** The connections that a call is about: all of a user, or one session. */
export type Target = { readonly user: string } | { readonly session: string };

/** What a call reached. */
export interface Reached {
  /** On how many connections it was done. */
  readonly connections: number;
  /** Names of gateways that did not answer in time. There it may or may not have been done. */
  readonly missing: readonly string[];
}

/** What sessions may do from now on, in the claims of a token. */
export interface NewPermissions {
  /** Allowed actions, by pattern of channel names. */
  readonly channels: unknown;
  /** Channels that the sessions are put on. */
  readonly subscribe?: unknown;
}

/** What is told about one connection. Times are in ms; moments are counted since the Unix epoch. */
export interface SessionInfo {
  readonly session: string;
  readonly node: string;
  /** Absent: anonymous. */
  readonly user?: string;
  readonly address: string;
  /** The entrance of the connection, such as `ws`. */
  readonly via: string;
  readonly dialect: string;
  readonly connectedAt: number;
  /** Time since the last sign of life. */
  readonly idleMs: number;
  /** When the token ends. Absent: never. */
  readonly expires?: number;
  /** Bytes that wait in the gateway for the client to read. */
  readonly unsentBytes: number;
  /** How long the client has been off its channels for reading too slowly. Absent: it is not. */
  readonly laggingMs?: number;
  /** How many channels the client is on. `channels` names only the first of them. */
  readonly channelCount: number;
  readonly channels: readonly SessionChannel[];
}

export interface SessionChannel {
  readonly channel: string;
  /** `live`: it gets what is published. `joining`: it is not on the channel yet, or still catching up from the log. */
  readonly state: 'live' | 'joining';
  /** With `offset`, the position up to which the client was sent messages; absent on live channels. */
  readonly epoch?: string;
  readonly offset?: number;
  /** How many messages of the log the client was not sent yet. */
  readonly behind?: number;
}

export interface SessionsAnswer {
  /** The sessions, oldest first; at most {@link MAX_SESSIONS} of each gateway. */
  readonly sessions: readonly SessionInfo[];
  /** How many sessions there are. */
  readonly count: number;
  readonly missing: readonly string[];
}

/** Most sessions of each gateway, and most channels of each session, in one answer. */
export const MAX_SESSIONS = 100;
export const MAX_SESSION_CHANNELS = 100;

/**
 * The calls, of which each reaches every gateway. @throws {FanfareError} `unavailable` if no other gateway can be told
 */
export interface ControlCalls {
  /** Closes connections: with code 4403, or with 4003 if the clients should reconnect. */
  disconnect(target: Target, reconnect: boolean): Promise<Reached>;
  /** Takes connections off a channel. */
  unsubscribe(target: Target, channel: string): Promise<Reached>;
  /** Replaces what connections may do, until they bring a new token. @throws {FanfareError} `bad_request` */
  refresh(target: Target, permissions: NewPermissions): Promise<Reached>;
  /**
   * Closes connections whose token is revoked (4401), and refuses these tokens from now on.
   * @throws {FanfareError} `unavailable` or `limit_exceeded`: nothing was done then
   */
  revoke(
    what: { readonly user: string } | { readonly jti: string },
    ttlMs: number,
  ): Promise<Reached & { readonly until: number }>;
  sessions(target: Target): Promise<SessionsAnswer>;
}
