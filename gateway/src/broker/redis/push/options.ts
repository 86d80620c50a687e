import type { RedisDeployment } from '../../../redis/deployment.js';
import type { RedisLog } from '../../../redis/log.js';

/** Numbers of the subscribing side; times in ms. */
export interface SubscriberTimings {
  /** Between two heartbeats (role and `master_replid`) on a subscribing connection. Default 1000. */
  readonly heartbeatMs: number;
  /**
   * A subscribing connection on which nothing came for this long is lost. Default 2250: a heartbeat, and
   * time to answer it; a frozen master is noticed within 3 s.
   */
  readonly silenceMs: number;
  /** Until a new connection has shown that it leads to a master. Default 1500. */
  readonly handshakeMs: number;
  /** Waits before another attempt, random below a ceiling that doubles. Default 50 up to 2000. */
  readonly retry: { readonly minMs: number; readonly maxMs: number };
  /** How long `start` waits for every master before it makes do with some. Default 5000. */
  readonly startMs: number;
  /** How long `subscribe` waits for its acknowledgement. Default 5000. */
  readonly subscribeMs: number;
  /** How long `read` waits for a master that serves. Default 1000. */
  readonly readWaitMs: number;
  /** Between two `onDoubt` of a channel whose slot moves. Default 1000. */
  readonly doubtMs: number;
  /** Distrust rebuilds a connection at most once in about this time. Default 5000. */
  readonly distrustMs: number;
  /**
   * How often a read lengthens the life of the identity of a channel that is subscribed here; a quarter of
   * that life if that is shorter, as it is while nobody has published. Default 1 h.
   */
  readonly renewMs: number;
}

export const SUBSCRIBER_TIMINGS: SubscriberTimings = {
  heartbeatMs: 1_000,
  silenceMs: 2_250,
  handshakeMs: 1_500,
  retry: { minMs: 50, maxMs: 2_000 },
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
  /** Largest message that is published here. Default 64 KiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** Used where nothing else is said. */
export const DEFAULT_MAX_MESSAGE_BYTES = 65_536;

/** Counted since the start. */
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
  /** Channels told to compare with the log because their slot moves. */
  doubts: number;
  /** Reads that told a broken continuity, and were confirmed by a majority first, or tried to be. */
  confirmations: number;
  /** Times a channel distrusted its connection. */
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
