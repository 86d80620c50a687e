import type { ErrorCode } from '@fanfare/protocol';

/** The connections that a fault strikes: all of a user, or everybody's. */
export interface Who {
  /** The user whose connections are meant. Default: everybody's. */
  readonly user?: string;
  /** How long the fault lasts, ms. Default: until `calm()`. */
  readonly forMs?: number;
}

/** What can be done to the connections, logs and answers of a test gateway. */
export interface Faults {
  /** Breaks connections. None can be made for `forMs`; by default they can be made again at once. */
  cut(who?: Who): void;
  /** Makes the network dark: nothing gets through, and nobody is told. What was sent waits, as in TCP. */
  dark(who?: Who): void;
  /** Limits how many bytes per second get to the clients. */
  slow(who: Who & { readonly bytesPerSecond: number }): void;
  /**
   * Makes the log forget all but its last `keep` messages. Clients that stood further back are told a `reset` with
   * `expired`.
   */
  expire(channel: string, keep: number): void;
  /**
   * Lets a replica take over that lacks the last `lost` messages. Clients that have seen one of these are told a
   * `reset` with `diverged`.
   */
  failover(channel: string, lost: number): void;
  /** Refuses the next `times` requests of a kind with this code. Default of `times`: 1. */
  refuse(rule: {
    readonly type: 'connect' | 'subscribe' | 'publish' | 'history';
    readonly code: ErrorCode;
    readonly times?: number;
  }): void;
  /** Makes all tokens of the user expire. Its connections are closed, and it needs a new token to come back. */
  expireToken(user: string): void;
  /** Lets the gateway stop in good order: all clients are told to come back within so many ms. */
  drain(spreadMs: number): void;
}
