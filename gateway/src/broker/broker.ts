/**
 * The broker port: the log and the push of it. Engines: `memory/`, `redis/`; the suite in
 * `test/cases/broker.cases.ts` holds each to what is written here.
 *
 * A **live** channel has no log: publishes reach whoever is subscribed now, records have epoch 0
 * and offset 0, and `read` is not called for it. A **durable** channel has one.
 *
 * Every method that talks to the log rejects with a `FanfareError`: `unavailable` (retryable: not
 * done, not delivered) while its shard is down, `outcome_unknown` for a publish whose reply was lost
 * and which had no key.
 */
import type { ReplicasWanted } from '@fanfare/protocol';
import type { LogPosition, LogRecord, NewMessage } from './record.js';

/** A channel and the settings of its namespace. */
export interface ChannelSpec {
  readonly name: string;
  readonly durable: boolean;
  /** Entries kept at least; trimming is approximate. */
  readonly historySize: number;
  /** A log to which nobody published for this long ends, ms. */
  readonly historyTtlMs: number;
}

export interface Broker {
  readonly name: 'memory' | 'redis';
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** Checks and connects. Rejects with one clear line if the engine cannot serve. */
  start(): Promise<void>;
  close(): Promise<void>;
  /**
   * Stores (durable) or pushes (live) the messages in the order given, each on its own: the outcomes
   * stand in the same order. One call is one round trip to the engine, however many messages.
   * Calls that do not wait for each other are stored in call order, unless one had to be retried.
   * The payloads' bytes belong to the broker from then on.
   */
  publish(channel: ChannelSpec, messages: readonly NewMessage[], options?: PublishOptions): Promise<PublishOutcome[]>;
  /**
   * Resolves once the engine has acknowledged the subscription: from then on every record is pushed,
   * in log order, except across `onInterrupted` ... `onResumed`. The listener may be called before
   * the promise resolves, but is told of no interruption if it is rejected. One subscription a channel at a time.
   */
  subscribe(channel: ChannelSpec, listener: ChannelListener): Promise<Subscription>;
  /**
   * One consistent view of a durable log: head, lineage and a page of entries. It and the pushes come
   * from one view: what was pushed before this was answered is not newer than the head it tells.
   * Creates the log's identity (a first epoch, offset 0) where the channel has none yet. While nobody has published
   * it is kept for `NEW_IDENTITY_MS` after the last read only: names that nobody uses must cost next to nothing.
   */
  read(channel: ChannelSpec, range: ReadRange): Promise<LogPage>;
  /** The parts that can fail on their own, for `/health/ready`; never empty. */
  health(): ShardHealth[];
  /** The part that serves a channel of this name now, as `health` names it. Absent: there is one only. */
  shardOf?(channel: string): string;
  /** What an engine counts for those who run it, since the start, by name; for metrics alone. */
  stats?(): Readonly<Record<string, number>>;
  /** Commands that the engine's store answered and refused, since the start, by reason; for metrics alone. */
  refusals?(): Readonly<Record<string, number>>;
}

/** How long the identity of a log to which nobody ever published outlasts the last read of it, ms. */
export const NEW_IDENTITY_MS = 300_000;

export interface PublishOptions {
  /**
   * Wait for a moment until so many replicas have it too, but for no more than there are. Publishes that leave together
   * may wait together. Default: for none. Ignored on live channels.
   */
  readonly replicas?: ReplicasWanted | undefined;
}

export type PublishOutcome = Published | Error;

export interface Published {
  /** Absent on live channels. */
  readonly position?: LogPosition;
  /** The key was seen within the window: this is the first one's position, nothing was delivered. */
  readonly duplicate?: boolean;
  /** Only if replicas were asked for. */
  readonly reached?: ReplicasReached;
}

/** What replicas have of a message that is in the log. */
export interface ReplicasReached {
  /** Replicas known to have it. */
  readonly replicas: number;
  /** Replicas of which any may be promoted: those in sync, and those that were a moment ago. */
  readonly of: number;
}

/** Whether a message is safe with as many replicas as were asked for. */
export function isReached({ replicas, of }: ReplicasReached, wanted: ReplicasWanted): boolean {
  return replicas >= (wanted === 'all' ? Math.max(1, of) : wanted);
}

/** What has to be waited for where messages leave together; no less than any of them wants. */
export function mostWanted(wanted: readonly (ReplicasWanted | undefined)[]): ReplicasWanted | undefined {
  let most: ReplicasWanted | undefined;
  for (const one of wanted) {
    if (one === 'all') return one;
    if (one !== undefined && one > ((most as number | undefined) ?? 0)) most = one;
  }
  return most;
}

/** Calls for one subscribed channel. None may throw; none comes after `unsubscribe` was called. */
export interface ChannelListener {
  onRecord(record: LogRecord): void;
  /** The engine cannot tell what is pushed now; records may be missing until `onResumed`. */
  onInterrupted(): void;
  /** The subscription is acknowledged again: anything may have been missed since `onInterrupted`. */
  onResumed(): void;
  /** Something moved (a slot migrates, an owner may have changed): compare with the log soon. */
  onDoubt(): void;
}

export interface Subscription {
  /** The part that serves the channel now, as `Broker.health` names it. */
  readonly shard: string;
  /** Ends it; resolves once the engine holds nothing of it. */
  unsubscribe(): Promise<void>;
  /**
   * The hub has records that the log does not explain for 2 s: the engine treats what carries this
   * channel as lost (`onInterrupted`, connect anew, `onResumed`).
   */
  distrust(): void;
}

/** Which entries a page holds; always oldest first. */
export type ReadRange = {
  /** Most entries; 0 asks for head and lineage only. The engine may return fewer. */
  readonly limit: number;
  /** Most bytes of entries; at least one entry is returned if there is one. */
  readonly maxBytes?: number;
  /**
   * Do not answer from a view that may have lost its right to the log (a deposed master): make sure
   * first, or reject `unavailable`. Asked before a client is told that continuity broke.
   */
  readonly confirmed?: boolean;
  /**
   * Reject `unavailable` at once where the log cannot be read just now, instead of waiting a moment: asked by
   * those who hold something meanwhile that others wait for, and come again by themselves. Default false.
   */
  readonly failFast?: boolean;
  /** Leave a channel that has no identity without one; the epoch told is nobody's then. Default false. */
  readonly isPeek?: boolean;
} & (
  | { /** Entries after this position, in log order. */ readonly after: LogPosition }
  | { /** The entries right before this position (`limit` of them). */ readonly before: LogPosition }
  | { /** The last entries (`limit` of them). */ readonly last: true }
  | { /** Entries from the first one at or after this time, ms. */ readonly sinceTime: number }
);

export interface LogPage extends LogHead {
  readonly entries: readonly LogRecord[];
  /** Whether the log holds more entries in the direction of the range. */
  readonly more: boolean;
}

export interface LogHead {
  /** The last position; offset 0 if nothing was ever published. */
  readonly head: LogPosition;
  /** Oldest first, never empty; every epoch of which the log holds entries, and the last 16 at least; the last one's epoch is the head's. */
  readonly lineage: readonly LineageEntry[];
}

/** An unforked stretch: the entries of `epoch` have offsets above `baseOffset`. */
export interface LineageEntry {
  readonly epoch: number;
  readonly baseOffset: number;
}

export interface ShardHealth {
  readonly shard: string;
  readonly state: 'ok' | 'lost';
  /** Why, if lost; if ok, what puts it at risk. */
  readonly detail?: string;
}
