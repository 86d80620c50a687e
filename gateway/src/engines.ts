/** Makes the engines that the configuration asks for. It is a part of the composition root. */

import type { Broker } from './broker/broker.js';
import { createMemoryBroker } from './broker/memory/memory-broker.js';
import type { Clock } from './clock.js';
import type { Config } from './config/config.js';
import type { RevocationStore } from './control/revocation.js';
import type { Logger } from './observability/logger.js';
import { startPatiently } from './patience.js';
import { MemoryPresence } from './presence/memory/memory-presence.js';
import type { PresenceStore } from './presence/presence-store.js';
import type { RedisDeployment } from './redis/deployment.js';
import { tellsOfNoAccess } from './redis/reply-errors.js';
import { parseSecret } from './signature.js';
import { Endpoint } from './webhooks/endpoint.js';
import type { EventType } from './webhooks/events.js';
import { MemoryQueue } from './webhooks/memory/memory-queue.js';
import { Webhooks } from './webhooks/webhooks.js';

/** After how long the log says again that the gateway waits for the same reason, ms. */
const STILL_WAITING_MS = 60_000;

/** The broker, which has been started, and what it stands on. */
export interface Engine {
  readonly broker: Broker;
  readonly redis: RedisDeployment | undefined;
  close(): Promise<void>;
}

/** How a gateway waits for a broker that is away. */
interface WaitingOptions {
  /** If it is aborted, waiting ends. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then while the gateway waits. */
  readonly onWaiting?: (() => void) | undefined;
}

/** Starts the broker. If it is away, waits for it, unless `redisAtStart` says otherwise. */
export function startEngine(config: Config, clock: Clock, logger: Logger, options: WaitingOptions): Promise<Engine> {
  const open = () => openEngine(config, clock, logger);
  if (config.redisAtStart === 'exit') return open();
  let told = { reason: '', at: 0 };
  return startPatiently(open, {
    clock,
    signal: options.signal,
    isLasting: tellsOfNoAccess,
    onWaiting(reason) {
      if (told.reason === reason && clock.now() - told.at < STILL_WAITING_MS) return;
      told = { reason, at: clock.now() };
      logger.warn({ reason }, 'waiting for Redis');
      options.onWaiting?.();
    },
  });
}

async function openEngine(config: Config, clock: Clock, logger: Logger): Promise<Engine> {
  const redis = await openRedis(config, clock, logger);
  const broker = await createBroker(clock, logger, redis, config.namespaces.maxMessageBytes);
  const close = async () => {
    await broker.close();
    redis?.close();
  };
  try {
    await broker.start();
    return { broker, redis, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Opens the deployment on which every part stands that keeps something in Redis; `undefined` if no Redis is configured.
 */
async function openRedis({ redisUrl }: Config, clock: Clock, log: Logger): Promise<RedisDeployment | undefined> {
  if (redisUrl === undefined) return undefined;
  const [{ RedisDeployment }, { parseRedisUrl }] = await Promise.all([
    import('./redis/deployment.js'),
    import('./redis/url.js'),
  ]);
  return new RedisDeployment({ target: parseRedisUrl(redisUrl), clock, log });
}

async function createBroker(
  clock: Clock,
  logger: Logger,
  deployment: RedisDeployment | undefined,
  maxMessageBytes: number,
): Promise<Broker> {
  if (!deployment) return createMemoryBroker({ clock });
  const { createRedisBroker } = await import('./broker/redis/redis-broker.js');
  return createRedisBroker({ deployment, logger, maxMessageBytes });
}

interface WebhookParts {
  readonly config: Config;
  readonly redis: RedisDeployment | undefined;
  readonly clock: Clock;
  readonly instance: string;
  readonly gateways: () => number;
  readonly logger: Logger;
  readonly onFault: (message: string, error?: unknown) => void;
}

/** Makes the webhooks; `undefined` if no URL is configured. */
export async function createWebhooks(parts: WebhookParts): Promise<Webhooks | undefined> {
  const { config, redis, clock, instance, gateways, logger, onFault } = parts;
  const { url, secret, events, timeoutMs, maxQueued: maxEvents } = config.webhooks;
  if (url === undefined) return undefined;
  const endpoint = new Endpoint({
    url,
    keys: secret.map(parseSecret),
    timeoutMs,
    clock,
    onState: ({ isDown, reason }) =>
      isDown
        ? logger.warn({ reason }, 'webhooks cannot be delivered')
        : logger.info({}, 'webhooks are delivered again'),
  });
  const types = new Set<EventType>(events);
  const { node } = config;
  if (!redis)
    return new Webhooks({
      queue: new MemoryQueue({ endpoint, clock, instance, types, maxEvents }),
      endpoint,
      types,
      node,
      clock,
    });
  const { RedisQueue } = await import('./webhooks/redis/redis-queue.js');
  // A gateway that sends has to hold its shard for longer than one request takes.
  const leaseMs = 2 * timeoutMs + 5_000;
  const queue = new RedisQueue({
    deployment: redis,
    endpoint,
    gateway: instance,
    types,
    maxEvents,
    leaseMs,
    gateways,
    onFault,
  });
  return new Webhooks({ queue, endpoint, types, node, clock, wake: (shard) => queue.wake(shard) });
}

interface PresenceParts {
  readonly broker: Broker;
  readonly redis: RedisDeployment | undefined;
  readonly clock: Clock;
  readonly instance: string;
  readonly config: Config;
  readonly gateways: () => number;
  readonly webhooks: Webhooks | undefined;
}

export async function createPresenceStore(parts: PresenceParts): Promise<PresenceStore> {
  const { broker, redis, clock, instance, config, gateways, webhooks } = parts;
  if (!redis) return new MemoryPresence({ broker, clock, ...(webhooks && { onEvent: webhooks.onPresence }) });
  const { RedisPresence } = await import('./presence/redis/redis-presence.js');
  const { leaseMs } = config.presence;
  const timings = { leaseMs, renewMs: leaseMs / 3 };
  return new RedisPresence({
    deployment: redis,
    broker,
    gateway: instance,
    gateways,
    timings,
    events: webhooks?.wantsPresence ? { maxEvents: config.webhooks.maxQueued, wake: webhooks.wake } : undefined,
  });
}

export async function createRevocationStore(redis: RedisDeployment | undefined): Promise<RevocationStore | undefined> {
  if (!redis) return undefined;
  const { createRedisRevocations } = await import('./control/redis-revocations.js');
  return createRedisRevocations(redis);
}
