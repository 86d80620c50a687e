/** What became of a message: the port between the HTTP API and `Why`. Times are ms since the Unix epoch. */

export interface WhyQuery {
  readonly channel: string;
  readonly offset: number;
  /** Epoch of the message. Absent: the one of the log as it is now. */
  readonly epoch?: number | undefined;
  /** Asks what became of the message for this session as well. */
  readonly session?: string | undefined;
}

export const LOG_STATES = ['stored', 'trimmed', 'lost', 'unpublished', 'unknown'] as const;

/**
 * What the log says. `stored`: it is there. `trimmed`: it was, and is no longer kept. `lost`: the log has another history
 * now, in which this epoch ends before it. `unpublished`: the log does not reach so far. `unknown`: the log cannot be read.
 */
export interface LogEntryInfo {
  readonly state: (typeof LOG_STATES)[number];
  readonly epoch?: string;
  /** When the message was stored, by the clock of the broker. */
  readonly time?: number;
  readonly user?: string;
  readonly key?: string;
  /** The session that does not get the message. */
  readonly except?: string;
  /** Why nothing is known of the message. */
  readonly detail?: string;
}

/** What happened to one session, concerning the message. */
export interface SessionFate {
  readonly session: string;
  readonly at: number;
}

export const VERDICTS = [
  'sent',
  'replayed',
  'dropped',
  'behind',
  'gone',
  'reset',
  'excepted',
  'waiting',
  'unknown',
] as const;

/**
 * What became of the message for one session. `sent`: by fan-out. `replayed`: alone, from the tail or the log. `dropped`: it
 * read too slowly, and came back for it or has yet to. `behind`: it began behind the message. `gone`: it was on the channel,
 * and left before. `reset`: it was told that continuity is broken there. `excepted`: the publisher said that it does not get
 * it. `waiting`: it is on the channel, and the message was not sent there yet. `unknown`: nothing that is remembered tells of
 * it.
 */
export interface SessionVerdict {
  readonly verdict: (typeof VERDICTS)[number];
  /** When that happened. */
  readonly at?: number;
  /** All that is remembered of the session on that channel, the oldest first; the last {@link MAX_FATES}. */
  readonly events: readonly {
    readonly at: number;
    readonly what: string;
    readonly from: number;
    readonly to: number;
  }[];
}

/** What one gateway remembers. */
export interface WhyShare {
  readonly node: string;
  /** Everything before that time is forgotten. Absent: the gateway remembers all since it began. */
  readonly since?: number;
  /** The channel as it is on that gateway now. Absent: nobody is on it there. */
  readonly channel?: { readonly offset?: number; readonly pending: number; readonly subscribers: number };
  /** The message's publisher was answered by this gateway. `by`: entrance and user or API key. */
  readonly published?: { readonly at: number; readonly by: string };
  /** How the message came to this gateway: by push, unless it was read from the log. */
  readonly received?: { readonly by: 'push' | 'log'; readonly at: number };
  /** The message was handed to the transport, for so many clients. */
  readonly flushed?: { readonly at: number; readonly subscribers: number };
  /** All clients were told a reset in place of the message. */
  readonly reset?: { readonly at: number; readonly reason: string };
  /** Sessions that read too slowly when it was sent: it was dropped for them, or may have been. The first {@link MAX_FATES}. */
  readonly dropped: readonly SessionFate[];
  readonly droppedCount: number;
  /** Sessions to which the message was sent alone. The first {@link MAX_FATES}. */
  readonly replayed: readonly SessionFate[];
  readonly replayedCount: number;
  /** What became of the message for the session. Only if a session was asked for. */
  readonly session?: SessionVerdict;
}

export interface WhyAnswer {
  readonly channel: string;
  readonly offset: number;
  readonly log: LogEntryInfo;
  readonly gateways: readonly WhyShare[];
  /** Gateways that did not answer in time, or do not know the question. */
  readonly missing: readonly string[];
}

/** Most sessions, and events of a session, in the answer of a gateway. */
export const MAX_FATES = 50;

export interface WhyCalls {
  /** @throws {FanfareError} `bad_request`: a channel without a log */
  why(query: WhyQuery): Promise<WhyAnswer>;
}
