import type { ErrorCode } from '@fanfare/protocol';

/** Whose connections: all of a user, or everybody's. */
export interface Who {
  /** The user whose connections are meant. Default: everybody's. */
  readonly user?: string;
  /** How long, ms. Default: until `calm()`. */
  readonly forMs?: number;
}

/** What can be done to the connections, logs and answers of a test gateway. */
export interface Faults {
  /** Breaks connections; none can be made for `forMs`. Default: at once again. */
  cut(who?: Who): void;
  /** The network goes dark: nothing gets through, and nobody is told. What was sent waits, as TCP has it. */
  dark(who?: Who): void;
  /** So much gets to the clients, and no more. */
  slow(who: Who & { readonly bytesPerSecond: number }): void;
  /** The log forgets all but its last `keep` messages. Who stood further back is told `reset`: `expired`. */
  expire(channel: string, keep: number): void;
  /**
   * A replica takes over that lacks the last `lost` messages. Who has seen one of these is told `reset`: `diverged`.
   */
  failover(channel: string, lost: number): void;
  /** The next `times` (1) of these are refused with this code. */
  refuse(rule: {
    readonly type: 'connect' | 'subscribe' | 'publish' | 'history';
    readonly code: ErrorCode;
    readonly times?: number;
  }): void;
  /** All tokens of the user are over: its connections are closed, and what it has to show has to be new. */
  expireToken(user: string): void;
  /** The gateway stops in good order: everybody is told to come back within so many ms. */
  drain(spreadMs: number): void;
}
