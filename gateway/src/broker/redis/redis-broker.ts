import { FanfareError } from '../../errors.js';
import type { RedisDeployment } from '../../redis/deployment.js';
import type { RedisLog } from '../../redis/log.js';
import type { Broker } from '../broker.js';
import { assertFit } from './checks.js';
import { type PublisherTimings, RedisPublisher } from './publish/publisher.js';
import type { SubscriberTimings } from './push/options.js';
import { RedisSubscriber } from './push/subscriber.js';
import { publishScript, pushScript } from './scripts/scripts.js';

export interface RedisBrokerOptions {
  /**
   * The deployment in which the logs live. It is shared with others, so whoever made it closes it, after the broker.
   */
  readonly deployment: RedisDeployment;
  readonly logger?: RedisLog;
  /** How long an idempotency key holds, ms. Default 5 minutes. */
  readonly idempotencyMs?: number;
  /** Largest message that may be published, bytes. Default 64 KiB. */
  readonly maxMessageBytes?: number;
  readonly timings?: Partial<SubscriberTimings & PublisherTimings>;
}

const DEFAULT_IDEMPOTENCY_MS = 300_000;

/**
 * The broker over Redis 7 or later: standalone, Sentinel or Cluster. Each master has one connection for subscribing and
 * reading, another one for publishing and all other commands, and a third one for replicated publishing.
 */
export function createRedisBroker(options: RedisBrokerOptions): Broker {
  const { deployment, logger, idempotencyMs = DEFAULT_IDEMPOTENCY_MS, timings = {} } = options;
  const { target, clock, topology, routes } = deployment;
  const { maxMessageBytes } = options;
  const subscriber = new RedisSubscriber({ deployment, timings, maxMessageBytes, ...(logger && { log: logger }) });
  const publisher = new RedisPublisher({
    clock,
    topology,
    routes,
    db: deployment.link.db,
    idempotencyMs,
    isCluster: target.kind === 'cluster',
    log: logger,
    timings,
  });
  const wake = () => publisher.wake();
  deployment.join({ onView: wake, onUp: wake }, [publishScript, pushScript]);

  let isClosed = false;
  const closed = () => new FanfareError('unavailable', 'the broker is closed');
  const ensureOpen = () => {
    if (isClosed) throw closed();
  };

  return {
    name: 'redis',
    idempotencyMs,

    async start() {
      await subscriber.start();
      try {
        const { view } = topology;
        const unchecked = view ? await assertFit(target, view, clock, maxMessageBytes) : [];
        for (const finding of unchecked) logger?.warn({ finding }, 'redis could not be checked');
      } catch (error) {
        await this.close();
        throw error;
      }
    },

    async close() {
      isClosed = true;
      publisher.close();
      subscriber.close();
    },

    // This is the hot path, so it makes no promise of its own.
    publish: (channel, messages, publishOptions) =>
      isClosed ? Promise.reject(closed()) : publisher.publish(channel, messages, publishOptions),

    async subscribe(channel, listener) {
      ensureOpen();
      return subscriber.subscribe(channel, listener);
    },

    async read(channel, range) {
      ensureOpen();
      return subscriber.read(channel, range);
    },

    health: () => subscriber.health(),

    shardOf: (channel) => subscriber.masterOf(channel),

    stats: () => ({ ...subscriber.stats }),

    refusals: () => deployment.refusals.counts,
  };
}
