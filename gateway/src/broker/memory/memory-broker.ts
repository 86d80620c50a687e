import type { Cancel } from '../../clock.js';
import { FanfareError } from '../../errors.js';
import type { Broker, ChannelListener, PublishOutcome, Subscription } from '../broker.js';
import type { LogRecord } from '../record.js';
import { MemoryLog, type MemoryLogOptions, type RecordListener } from './memory-log.js';

/** Options of a log that the broker makes for itself, or a log that it shares with other brokers of this process. */
type MemoryBrokerOptions = MemoryLogOptions | { readonly log: MemoryLog };

/** How long expired entries may stay in memory where nobody reads or publishes, ms. */
const SWEEP_INTERVAL_MS = 60_000;

/** Name of the only part of this broker, for `health`. */
const MEMORY = 'memory';

/**
 * The broker of a single process: everything is lost with it. Pushes come inside `publish`, before its promise
 * resolves. Payload bytes handed to `publish` belong to the broker from then on. There are no replicas, so a publish
 * that asks for some is told that it reached 0 of 0.
 */
export function createMemoryBroker(options: MemoryBrokerOptions): Broker {
  const log = 'log' in options ? options.log : new MemoryLog(options);
  const { clock } = log;
  const subscriptions = new Set<MemorySubscription>();
  let cancelSweep: Cancel | undefined;
  let closed = false;

  const scheduleSweep = () => {
    cancelSweep = clock.after(SWEEP_INTERVAL_MS, () => {
      log.sweep();
      scheduleSweep();
    });
  };
  const ensureOpen = () => {
    if (closed) throw new FanfareError('unavailable', 'the broker is closed');
  };

  return {
    name: 'memory',
    idempotencyMs: log.idempotencyMs,

    async start() {
      scheduleSweep();
    },

    async close() {
      closed = true;
      cancelSweep?.();
      for (const subscription of subscriptions) subscription.end();
    },

    async publish(channel, messages, publishOptions) {
      ensureOpen();
      const outcomes = log.publish(channel, messages);
      const isReplicated = channel.durable && publishOptions?.replicas !== undefined;
      return isReplicated ? outcomes.map(storedOnly) : outcomes;
    },

    async subscribe(channel, listener) {
      ensureOpen();
      return new MemorySubscription(channel.name, listener, log, subscriptions);
    },

    async read(channel, range) {
      ensureOpen();
      return log.read(channel, range);
    },

    health() {
      return [{ shard: MEMORY, state: closed ? 'lost' : 'ok' }];
    },
  };
}

/** One channel that somebody follows. A class, because there may be one for each connection. */
class MemorySubscription implements Subscription, RecordListener {
  readonly #channel: string;
  readonly #listener: ChannelListener;
  readonly #log: MemoryLog;
  /** All subscriptions of the broker that have not ended. */
  readonly #open: Set<MemorySubscription>;

  constructor(channel: string, listener: ChannelListener, log: MemoryLog, open: Set<MemorySubscription>) {
    this.#channel = channel;
    this.#listener = listener;
    this.#log = log;
    this.#open = open;
    open.add(this);
    log.addListener(channel, this);
  }

  get shard(): string {
    return MEMORY;
  }

  onRecord(record: LogRecord): void {
    this.#listener.onRecord(record);
  }

  async unsubscribe(): Promise<void> {
    this.end();
  }

  distrust(): void {
    this.#log.clock.soon(() => {
      if (!this.#open.has(this)) return;
      this.#listener.onInterrupted();
      this.#listener.onResumed();
    });
  }

  end(): void {
    this.#open.delete(this);
    this.#log.removeListener(this.#channel, this);
  }
}

/** The outcome of a publish that asked for replicas where there are none. */
export function storedOnly(outcome: PublishOutcome): PublishOutcome {
  return outcome instanceof Error ? outcome : { ...outcome, reached: { replicas: 0, of: 0 } };
}
