/**
 * The broker port: the log of each channel, and the push of new messages to the gateways. Engines: `memory/`, `redis/`;
 * the suite in `test/cases/broker.cases.ts` holds each to what is written here.
 *
 * A **live** channel has no log: publishes reach whoever is subscribed now, records have epoch 0 and offset 0, and
 * `read` is not called for it. A **durable** channel has a log.
 *
 * Every method that talks to the log rejects with a `FanfareError`: `unavailable` (retryable: it was not done and
 * nothing was delivered) while the shard of the channel is down; `outcome_unknown` for a publish without a key whose
 * reply was lost.
 */
import type { ReplicasWanted } from '@fanfare/protocol';
import type { LogPosition, LogRecord, NewMessage } from './record.js';

/** A channel and the settings of its namespace. */
export interface ChannelSpec {
  readonly name: string;
  readonly durable: boolean;
  /** How many entries the log keeps at least. Trimming is approximate, so it may keep a few more. */
  readonly historySize: number;
  /** How long after the last publish the log ends, ms. */
  readonly historyTtlMs: number;
}

export interface Broker {
  readonly name: 'memory' | 'redis';
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** Checks what the engine needs, and connects. Rejects with one clear line if the engine cannot serve. */
  start(): Promise<void>;
  close(): Promise<void>;
  /**
   * Stores the messages (on a durable channel) or pushes them (on a live one) in the order given. Each has an outcome
   * of its own, in the same order. One call is one round trip to the engine, however many messages it has. Calls that
   * do not wait for each other are stored in call order, unless one had to be retried. From then on the bytes of the
   * payloads belong to the broker.
   */
  publish(channel: ChannelSpec, messages: readonly NewMessage[], options?: PublishOptions): Promise<PublishOutcome[]>;
  /**
   * Resolves once the engine has acknowledged the subscription: from then on every record is pushed, in log order,
   * except between `onInterrupted` and `onResumed`. The listener may be called before the promise resolves. If the
   * promise is rejected, the listener is told of no interruption. A channel has one subscription at a time.
   */
  subscribe(channel: ChannelSpec, listener: ChannelListener): Promise<Subscription>;
  /**
   * Reads one consistent view of a durable log: head, lineage and a page of entries. Pages and pushes are ordered with
   * each other: what was pushed before a page is answered is not newer than the head of that page. Creates the log's
   * identity (a first epoch, offset 0) where the channel has none yet. While nobody has published, that identity is
   * kept for only `NEW_IDENTITY_MS` after the last read, because names that nobody uses must cost next to nothing.
   */
  read(channel: ChannelSpec, range: ReadRange): Promise<LogPage>;
  /** The state of each part of the engine that can fail on its own, for `/health/ready`. There is at least one. */
  health(): ShardHealth[];
  /** The part that serves a channel of this name now, as `health` names it. Absent on engines with only one part. */
  shardOf?(channel: string): string;
  /** What the engine has counted since the start, by name. It is for metrics alone. */
  stats?(): Readonly<Record<string, number>>;
  /** How many commands the engine's store has refused since the start, by reason. It is for metrics alone. */
  refusals?(): Readonly<Record<string, number>>;
}

/** How long the identity of a log to which nobody ever published outlasts the last read of it, ms. */
export const NEW_IDENTITY_MS = 300_000;

export interface PublishOptions {
  /**
   * How many replicas should have the message before the publish is answered. It waits a moment for that many, but for
   * no more than there are. Publishes that leave together may wait together. Default: it waits for none. Ignored on
   * live channels.
   */
  readonly replicas?: ReplicasWanted | undefined;
}

export type PublishOutcome = Published | Error;

export interface Published {
  /** Absent on live channels. */
  readonly position?: LogPosition;
  /**
   * Set if the key was seen before within its time. `position` is then that of the first message with the key, and
   * nothing was delivered.
   */
  readonly duplicate?: boolean;
  /** What replicas have of the message; present only if replicas were asked for. */
  readonly reached?: ReplicasReached;
}

/** What replicas have of a message that is in the log. */
export interface ReplicasReached {
  /** How many replicas are known to have the message. */
  readonly replicas: number;
  /** How many replicas may be promoted: those in sync, and those that were in sync a moment ago. */
  readonly of: number;
}

/** Whether a message is safe with as many replicas as were asked for. */
export function isReached({ replicas, of }: ReplicasReached, wanted: ReplicasWanted): boolean {
  return replicas >= (wanted === 'all' ? Math.max(1, of) : wanted);
}

/** How many replicas have to be waited for where messages leave together: no fewer than any of them wants. */
export function mostWanted(wanted: readonly (ReplicasWanted | undefined)[]): ReplicasWanted | undefined {
  let most: ReplicasWanted | undefined;
  for (const one of wanted) {
    if (one === 'all') return one;
    if (one !== undefined && one > ((most as number | undefined) ?? 0)) most = one;
  }
  return most;
}

/**
 * What the engine calls for one subscribed channel. No method may throw. None is called after `unsubscribe` was called.
 */
export interface ChannelListener {
  onRecord(record: LogRecord): void;
  /** The engine no longer knows what is pushed. Until `onResumed`, records may be missing. */
  onInterrupted(): void;
  /** The subscription is acknowledged again: anything may have been missed since `onInterrupted`. */
  onResumed(): void;
  /**
   * Something may have moved: a slot migrates, or its owner may have changed. The listener should compare with the log
   * soon.
   */
  onDoubt(): void;
}

export interface Subscription {
  /** The part of the engine that serves the channel now, as `Broker.health` names it. */
  readonly shard: string;
  /** Ends the subscription. Resolves once the engine holds nothing of it any more. */
  unsubscribe(): Promise<void>;
  /**
   * To be called when the hub has had records for 2 s that the log does not explain. The engine treats the connection
   * that carries this channel as lost: `onInterrupted`, a new connection, `onResumed`.
   */
  distrust(): void;
}

/** Which entries a page should hold. They always come oldest first. */
export type ReadRange = {
  /** Most entries of the page; 0 asks for head and lineage only. The engine may return fewer. */
  readonly limit: number;
  /** Most bytes of entries. At least one entry is returned if there is one, however large it is. */
  readonly maxBytes?: number;
  /**
   * Whether the engine has to make sure first that its view of the log is the valid one (not that of a deposed master),
   * or reject with `unavailable`. It is asked for before a client is told that continuity broke.
   */
  readonly confirmed?: boolean;
  /**
   * Whether to reject with `unavailable` at once where the log cannot be read just now, instead of waiting a moment.
   * Callers ask for it that hold something meanwhile for which others wait, and that come again by themselves. Default
   * false.
   */
  readonly failFast?: boolean;
  /**
   * Whether a channel without an identity is left without one. The epoch in the answer then belongs to no log. Default
   * false.
   */
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
  /** The position of the last entry; its offset is 0 if nothing was ever published. */
  readonly head: LogPosition;
  /**
   * Where each epoch began, oldest first. It is never empty, and has every epoch of which the log holds entries, and at
   * least the last 16. The last one is the epoch of the head.
   */
  readonly lineage: readonly LineageEntry[];
}

/** One epoch, an unforked stretch of the log: its entries have offsets above `baseOffset`. */
export interface LineageEntry {
  readonly epoch: number;
  readonly baseOffset: number;
}

export interface ShardHealth {
  readonly shard: string;
  readonly state: 'ok' | 'lost';
  /** If the part is lost, the reason; if it is ok, what puts it at risk. */
  readonly detail?: string;
}
