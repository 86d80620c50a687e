import type { Cancel } from '../../clock.js';
import { FanfareError } from '../../errors.js';
import type { Broker, PublishOutcome } from '../broker.js';
import { MemoryLog, type MemoryLogOptions } from './memory-log.js';

/** A log of its own, or one shared with other brokers of this process. */
type MemoryBrokerOptions = MemoryLogOptions | { readonly log: MemoryLog };

/** How long what has expired may stay in memory where nobody reads or publishes. */
const SWEEP_INTERVAL_MS = 60_000;

/** The only part of this broker. */
const MEMORY = 'memory';

/**
 * The broker of a single process: everything is lost with it. Pushes come inside `publish`, before
 * its promise resolves. Payload bytes handed to `publish` belong to the broker from then on.
 * There are no replicas: of those that are asked for 0 of 0 are reached.
 */
export function createMemoryBroker(options: MemoryBrokerOptions): Broker {
  const log = 'log' in options ? options.log : new MemoryLog(options);
  const { clock } = log;
  const subscriptions = new Set<() => void>();
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
      for (const end of subscriptions) end();
    },

    async publish(channel, messages, publishOptions) {
      ensureOpen();
      const outcomes = log.publish(channel, messages);
      const isReplicated = channel.durable && publishOptions?.replicas !== undefined;
      return isReplicated ? outcomes.map(storedOnly) : outcomes;
    },

    async subscribe(channel, listener) {
      ensureOpen();
      const stop = log.subscribe(channel.name, (record) => listener.onRecord(record));
      const end = () => {
        stop();
        subscriptions.delete(end);
      };
      subscriptions.add(end);
      return {
        shard: MEMORY,
        async unsubscribe() {
          end();
        },
        distrust() {
          clock.soon(() => {
            if (!subscriptions.has(end)) return;
            listener.onInterrupted();
            listener.onResumed();
          });
        },
      };
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

/** The outcome of a publish that asked for replicas where there are none. */
export function storedOnly(outcome: PublishOutcome): PublishOutcome {
  return outcome instanceof Error ? outcome : { ...outcome, reached: { replicas: 0, of: 0 } };
}
