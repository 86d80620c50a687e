/** What a backend can do about connections, over all gateways: the port between the HTTP API and {@link Control}. */

/** Whose connections: all of a user, or one. */
export type Target = { readonly user: string } | { readonly session: string };

/** What a call reached. */
export interface Reached {
  /** Connections on which it was done. */
  readonly connections: number;
  /** Gateways that did not answer in time: there it may or may not have been done. */
  readonly missing: readonly string[];
}

/** What sessions may do from now on, in the claims of a token. */
export interface NewPermissions {
  /** Actions by pattern. */
  readonly channels: unknown;
  /** Channels that they are put on. */
  readonly subscribe?: unknown;
}

/** One connection. Times are ms, and since the Unix epoch where they name a moment. */
export interface SessionInfo {
  readonly session: string;
  readonly node: string;
  /** Absent: anonymous. */
  readonly user?: string;
  readonly address: string;
  /** The way in, such as `ws`. */
  readonly via: string;
  readonly dialect: string;
  readonly connectedAt: number;
  /** Since the last sign of life. */
  readonly idleMs: number;
  /** When its token ends; absent: never. */
  readonly expires?: number;
  /** What waits in the gateway for the client to read. */
  readonly unsentBytes: number;
  /** Since when it is off its channels as too slow; absent: it is not. */
  readonly laggingMs?: number;
  /** How many channels it is on; `channels` names the first of them. */
  readonly channelCount: number;
  readonly channels: readonly SessionChannel[];
}

export interface SessionChannel {
  readonly channel: string;
  /** `joining`: not there yet, or still catching up from the log. */
  readonly state: 'live' | 'joining';
  /** Where it was sent up to; absent on live channels. */
  readonly epoch?: string;
  readonly offset?: number;
  /** Messages of the log that it was not sent yet. */
  readonly behind?: number;
}

export interface SessionsAnswer {
  /** The oldest first; at most {@link MAX_SESSIONS} of a gateway. */
  readonly sessions: readonly SessionInfo[];
  /** How many there are. */
  readonly count: number;
  readonly missing: readonly string[];
}

/** Most sessions of a gateway, and channels of a session, in one answer. */
export const MAX_SESSIONS = 100;
export const MAX_SESSION_CHANNELS = 100;

/** Each reaches every gateway. @throws {FanfareError} `unavailable` where no other gateway can be told */
export interface ControlCalls {
  /** Closes with 4403, or 4003 where they shall come back. */
  disconnect(target: Target, reconnect: boolean): Promise<Reached>;
  /** Takes them off a channel. */
  unsubscribe(target: Target, channel: string): Promise<Reached>;
  /** Replaces what they may do, until they bring a new token. @throws {FanfareError} `bad_request` */
  refresh(target: Target, permissions: NewPermissions): Promise<Reached>;
  /**
   * Closes those whose token is revoked (4401), and refuses these tokens from now on.
   * @throws {FanfareError} `unavailable`, `limit_exceeded`: nothing was done
   */
  revoke(
    what: { readonly user: string } | { readonly jti: string },
    ttlMs: number,
  ): Promise<Reached & { readonly until: number }>;
  sessions(target: Target): Promise<SessionsAnswer>;
}
