import type { CloseCode, RawDialect, Wire } from '@fanfare/protocol';
import type { Cancel, Clock } from '../clock.js';
import { SendQueue } from '../hub/send-queue.js';
import type { SendScheduler } from '../hub/send-scheduler.js';
import type { Topic, TopicSubscriber } from '../hub/topic.js';

export interface LivenessTimings {
  readonly pingIntervalMs: number;
  /** How long a connection may be silent, beyond one interval of pings, before it counts as dead. */
  readonly pongTimeoutMs: number;
  /** How long a client may take to connect, counted from the open socket. */
  readonly connectTimeoutMs: number;
  /** How long a client may stay behind with reading. */
  readonly lagMs: number;
}

/** The part of a connection that its liveness needs. */
export interface Living extends TopicSubscriber {
  readonly dialect: RawDialect;
  /** When the last sign of life was, ms: a frame that came, or bytes that left. */
  readonly lastSeenMs: number;
  /** When the socket was opened, ms. */
  readonly openedAtMs: number;
  /** Since when the client lags, ms; `undefined` while it does not. */
  readonly laggingSinceMs: number | undefined;
  /** Since when the client has read nothing although something waits for it. Has to be called from time to time. */
  stalledSinceMs(nowMs: number): number | undefined;
  close(code: CloseCode, reason: string): void;
}

/** Number of buckets. The sockets of one bucket are pinged together; the buckets are spread over the interval. */
const BUCKETS = 25;

/** A timer that runs so much later than it was due shows that the process stood still, ms. */
const STANDSTILL_MS = 2_000;

const PING = {
  position: undefined,
  size: 0,
  frame: (dialect: RawDialect): Wire => dialect.encode({ type: 'ping' }),
};

/**
 * Pings and deadlines of all connections. There is one timer for all of them, and pings are one publish for each topic
 * of a bucket.
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
  /**
   * When the process last woke up after it stood still, ms. What clients sent meanwhile is read only after the timers
   * have run.
   */
  #awakeSinceMs = Number.NEGATIVE_INFINITY;
  #timer: Cancel;

  constructor(scheduler: SendScheduler, clock: Clock, timings: LivenessTimings) {
    this.#clock = clock;
    this.#timings = timings;
    // Names of channels have no spaces, so no client can subscribe to these topics.
    this.#buckets = Array.from({ length: BUCKETS }, (_, bucket) => new SendQueue(scheduler, ` ping ${bucket}`, true));
    this.#sweptAtMs = clock.now();
    this.#ranAtMs = clock.now();
    this.#timer = this.#schedule();
  }

  /**
   * Adds a session that must connect in time. If more than `most` sessions have not connected, returns the one that has
   * taken longest.
   */
  opened<One extends Living>(session: One, most = Number.POSITIVE_INFINITY): One | undefined {
    this.#connecting.add(session);
    if (this.#connecting.size <= most) return undefined;
    const [oldest] = this.#connecting as Set<One>;
    return oldest;
  }

  /** To be called when a session has connected. It is pinged from now on. */
  connected(session: Living): void {
    this.#connecting.delete(session);
    // Buckets are taken in turn. If the number of sessions decided, sessions that replace each other would all share
    // one bucket.
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
    /** How long something has lasted, as far as this process could have noticed its end. */
    const age = (sinceMs: number) => now - Math.max(sinceMs, this.#awakeSinceMs);
    // Both sets are in the order of deadlines.
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
