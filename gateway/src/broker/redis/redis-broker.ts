import type { Clock } from '../../clock.js';
import type { Broker } from '../broker.js';
import { assertFit } from './checks.js';
import { type PublisherTimings, RedisPublisher } from './publisher.js';
import { dataConnectionOptions, parseRedisUrl } from './redis-url.js';
import { RedisSubscriber } from './subscriber.js';
import type { SubscriberLog, SubscriberTimings } from './subscriber-options.js';

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
    timings,
  });

  return {
    name: 'redis',
    idempotencyMs,
    async start() {
      await subscriber.start();
      try {
        if (subscriber.topology.view) await assertFit(target, subscriber.topology.view, clock);
      } catch (error) {
        await this.close();
        throw error;
      }
    },
    async close() {
      publisher.close();
      subscriber.close();
    },
    publish: (channel, messages, publishOptions) => publisher.publish(channel, messages, publishOptions),
    subscribe: (channel, listener) => subscriber.subscribe(channel, listener),
    read: (channel, range) => subscriber.read(channel, range),
    health: () => subscriber.health(),
  };
}
