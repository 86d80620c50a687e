import type { CloseCode, RawDialect, Wire } from '@fanfare/protocol';
import type { Cancel, Clock } from '../clock.js';
import { SendQueue } from '../hub/send-queue.js';
import type { SendScheduler } from '../hub/send-scheduler.js';
import type { Topic, TopicSubscriber } from '../hub/topic.js';

export interface LivenessTimings {
  readonly pingIntervalMs: number;
  /** How long a connection may be silent beyond an interval of pings before its link counts as dead. */
  readonly pongTimeoutMs: number;
  /** How long a client may take to connect, from the open socket on. */
  readonly connectTimeoutMs: number;
  /** How long a client may stay behind. */
  readonly lagMs: number;
}

/** A connection as its liveness sees it. */
export interface Living extends TopicSubscriber {
  readonly dialect: RawDialect;
  /** Last sign of life: a frame received or bytes drained, ms. */
  readonly lastSeenMs: number;
  /** When its socket was opened, ms. */
  readonly openedAtMs: number;
  /** Since when it lags, ms; `undefined` while it does not. */
  readonly laggingSinceMs: number | undefined;
  /** Since when it has read nothing, though something waits for it. To be asked from time to time. */
  stalledSinceMs(nowMs: number): number | undefined;
  close(code: CloseCode, reason: string): void;
}

/** Buckets of sockets that are pinged together, spread over the interval. */
const BUCKETS = 25;

/** So much later than due a timer runs only in a process that stood still. */
const STANDSTILL_MS = 2_000;

const PING = {
  position: undefined,
  size: 0,
  frame: (dialect: RawDialect): Wire => dialect.encode({ type: 'ping' }),
};

/**
 * Pings and deadlines of all connections: one timer, one publish per topic of a bucket, no timer
 * per connection.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #timings: LivenessTimings;
  readonly #buckets: SendQueue[];
  readonly #connecting = new Set<Living>();
  readonly #sessions = new Map<Living, Topic>();
  readonly #lagging = new Set<Living>();
  #accepted = 0;
  #tick = 0;
  #sweptAtMs: number;
  #ranAtMs: number;
  /** What clients sent while this process stood still is read only after its timers ran. */
  #awakeSinceMs = Number.NEGATIVE_INFINITY;
  #timer: Cancel;

  constructor(scheduler: SendScheduler, clock: Clock, timings: LivenessTimings) {
    this.#clock = clock;
    this.#timings = timings;
    // A space can't be in a channel's name: these topics are no client's to subscribe to.
    this.#buckets = Array.from({ length: BUCKETS }, (_, bucket) => new SendQueue(scheduler, ` ping ${bucket}`, true));
    this.#sweptAtMs = clock.now();
    this.#ranAtMs = clock.now();
    this.#timer = this.#schedule();
  }

  /** It must connect in time. Returns the one that has taken longest, where more than `most` have not connected. */
  opened<One extends Living>(session: One, most = Number.POSITIVE_INFINITY): One | undefined {
    this.#connecting.add(session);
    if (this.#connecting.size <= most) return undefined;
    const [oldest] = this.#connecting as Set<One>;
    return oldest;
  }

  /** It is pinged from now on. */
  connected(session: Living): void {
    this.#connecting.delete(session);
    // In turn: by the number of sessions, those that replace each other would all share one bucket.
    const bucket = this.#buckets[this.#accepted++ % BUCKETS] as SendQueue;
    const topic = bucket.topic(session.dialect);
    this.#sessions.set(session, topic);
    topic.enter(session);
  }

  lagging(session: Living): void {
    this.#lagging.add(session);
  }

  caughtUp(session: Living): void {
    this.#lagging.delete(session);
  }

  closed(session: Living): void {
    this.#connecting.delete(session);
    this.#lagging.delete(session);
    const topic = this.#sessions.get(session);
    if (topic === undefined) return;
    this.#sessions.delete(session);
    topic.leave(session);
    topic.release();
  }

  stop(): void {
    this.#timer();
  }

  #schedule(): Cancel {
    return this.#clock.after(this.#timings.pingIntervalMs / BUCKETS, () => {
      this.#run();
      this.#timer = this.#schedule();
    });
  }

  #run(): void {
    (this.#buckets[this.#tick++ % BUCKETS] as SendQueue).push(PING);
    const now = this.#clock.now();
    const { pingIntervalMs, pongTimeoutMs, connectTimeoutMs, lagMs } = this.#timings;
    if (now - this.#ranAtMs > pingIntervalMs / BUCKETS + STANDSTILL_MS) this.#awakeSinceMs = now;
    this.#ranAtMs = now;
    /** For how long something has been so, as far as this process could have noticed a change. */
    const age = (sinceMs: number) => now - Math.max(sinceMs, this.#awakeSinceMs);
    // Both sets are in the order of their deadlines.
    for (const session of this.#connecting) {
      if (age(session.openedAtMs) < connectTimeoutMs) break;
      this.#connecting.delete(session);
      session.close(4002, 'no connect frame in time');
    }
    for (const session of this.#lagging) {
      if (age(session.laggingSinceMs ?? now) < lagMs) break;
      this.#lagging.delete(session);
      session.close(4001, 'behind for too long');
    }
    if (now - this.#sweptAtMs < pongTimeoutMs / 4) return;
    this.#sweptAtMs = now;
    for (const session of this.#sessions.keys()) {
      if (age(session.lastSeenMs) >= pingIntervalMs + pongTimeoutMs) session.close(4002, 'no sign of life');
      else if (age(session.stalledSinceMs(now) ?? now) >= lagMs) session.close(4001, 'reads nothing');
    }
  }
}
