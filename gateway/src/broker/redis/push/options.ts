import type { RedisDeployment } from '../../../redis/deployment.js';
import type { RedisLog } from '../../../redis/log.js';

/** Timings of the subscribing side, all in ms. */
export interface SubscriberTimings {
  /** Time between two heartbeats on a subscribing connection, which ask for role and `master_replid`. Default 1000. */
  readonly heartbeatMs: number;
  /**
   * A subscribing connection on which nothing came for this long counts as lost. Default 2250: a heartbeat and the time
   * to answer it, so that a frozen master is noticed within 3 s.
   */
  readonly silenceMs: number;
  /** How long a new connection may take to show that it leads to a master. Default 1500. */
  readonly handshakeMs: number;
  /**
   * How long to wait before another attempt to connect: a random time below a ceiling that doubles. Default 50 up to
   * 2000.
   */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** How long `start` waits for all masters before it goes on with those that are there. Default 5000. */
  readonly startMs: number;
  /** How long `subscribe` waits for its acknowledgement. Default 5000. */
  readonly subscribeMs: number;
  /** How long `read` waits for a master that serves. Default 1000. */
  readonly readWaitMs: number;
  /** Time between two calls of `onDoubt` for a channel whose slot moves. Default 1000. */
  readonly doubtMs: number;
  /** A connection that is distrusted is rebuilt at most once in about this time. Default 5000. */
  readonly distrustMs: number;
  /**
   * How often a read lengthens the life of the identity of a subscribed channel. While nobody has published, that life
   * is short, and a quarter of it is used if that is less. Default 1 h.
   */
  readonly renewMs: number;
}

export const SUBSCRIBER_TIMINGS: SubscriberTimings = {
  heartbeatMs: 1_000,
  silenceMs: 2_250,
  handshakeMs: 1_500,
  backoff: { minMs: 50, maxMs: 2_000 },
  startMs: 5_000,
  subscribeMs: 5_000,
  readWaitMs: 1_000,
  doubtMs: 1_000,
  distrustMs: 5_000,
  renewMs: 3_600_000,
};

export interface SubscriberOptions {
  readonly deployment: RedisDeployment;
  readonly timings?: Partial<SubscriberTimings>;
  readonly log?: RedisLog;
  /** Largest message that may be published, bytes. Default 64 KiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** Default of `maxMessageBytes`: 64 KiB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 65_536;

/** What the subscribing side counts, each since the start. */
export interface SubscriberStats {
  /** Subscribing connections that came up. */
  connects: number;
  /** Subscribing connections that were lost. */
  lost: number;
  /** Channels whose interruption ended. */
  resumed: number;
  /** Subscriptions that a server ended because their slot moved. */
  gone: number;
  /** SSUBSCRIBE commands that were refused. */
  refused: number;
  /** Times that a channel was told to compare with the log because its slot moves. */
  doubts: number;
  /** Reads about a broken continuity that had to be confirmed by a majority first, whether it could be asked or not. */
  confirmations: number;
  /** Times that a channel distrusted its connection. */
  distrusted: number;
  /** Pushes that were no record. */
  malformed: number;
}

export function createSubscriberStats(): SubscriberStats {
  return {
    connects: 0,
    lost: 0,
    resumed: 0,
    gone: 0,
    refused: 0,
    doubts: 0,
    confirmations: 0,
    distrusted: 0,
    malformed: 0,
  };
}
