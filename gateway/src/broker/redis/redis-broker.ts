import type { Clock } from '../../clock.js';
import { FanfareError } from '../../errors.js';
import { dataConnectionOptions, parseRedisUrl } from '../../redis/url.js';
import type { Broker } from '../broker.js';
import { assertFit } from './checks.js';
import { type PublisherTimings, RedisPublisher } from './publish/publisher.js';
import type { SubscriberLog, SubscriberTimings } from './push/options.js';
import { RedisSubscriber } from './push/subscriber.js';

export interface RedisBrokerOptions {
  /** As `parseRedisUrl` reads it. */
  readonly url: string;
  readonly clock: Clock;
  readonly logger?: SubscriberLog;
  /** How long an idempotency key holds, ms. Default 5 minutes. */
  readonly idempotencyMs?: number;
  readonly timings?: Partial<SubscriberTimings & PublisherTimings>;
}

const DEFAULT_IDEMPOTENCY_MS = 300_000;

/**
 * The broker over Redis 7 or later: standalone, Sentinel or Cluster. Subscribing and reading have one
 * connection per master, publishing another one, replicated publishing a third.
 * @throws {Error} if the URL is unusable
 */
export function createRedisBroker(options: RedisBrokerOptions): Broker {
  const { url, clock, logger, idempotencyMs = DEFAULT_IDEMPOTENCY_MS, timings = {} } = options;
  const target = parseRedisUrl(url);
  const subscriber = new RedisSubscriber({
    target,
    clock,
    timings,
    ...(logger && { log: logger }),
    onTopology: (view) => publisher.adopt(view),
  });
  const publisher = new RedisPublisher({
    clock,
    link: dataConnectionOptions(target),
    topology: subscriber.topology,
    idempotencyMs,
    isCluster: target.kind === 'cluster',
    timings,
  });

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
        const { view } = subscriber.topology;
        const unchecked = view ? await assertFit(target, view, clock) : [];
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

    // The hot path: no promise of its own.
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

    stats: () => ({ ...subscriber.stats }),
  };
}
