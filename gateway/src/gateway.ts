/** The composition root: the one place that picks engines and puts the parts together. */
import { randomUUID } from 'node:crypto';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { type ApiDependencies, createApi, createHealthApi } from './api/api.js';
import type { StaticFiles } from './api/static-files.js';
import { createOriginCheck } from './auth/origin.js';
import { createAuthentication } from './authentication.js';
import type { Broker } from './broker/broker.js';
import { createMemoryBroker } from './broker/memory/memory-broker.js';
import { createChannels } from './channels/channels.js';
import { type Clock, sleep, systemClock } from './clock.js';
import type { Config } from './config/config.js';
import { BrokerFleet } from './fleet/broker-fleet.js';
import { Hub } from './hub/hub.js';
import { withStalls } from './hub/stalls.js';
import type { Logger } from './observability/logger.js';
import { createMetrics, type Metrics, type MetricsOptions, shared } from './observability/metrics.js';
import { MemoryPresence } from './presence/memory/memory-presence.js';
import { Presence } from './presence/presence.js';
import type { PresenceStore } from './presence/presence-store.js';
import { SessionPresence } from './presence/session-presence.js';
import type { RedisDeployment } from './redis/deployment.js';
import { createAcceptor } from './session/acceptor.js';
import { createCommands } from './session/commands.js';
import { createFanfareConversation } from './session/fanfare/fanfare.js';
import type { Session } from './session/session.js';
import { Sessions } from './session/sessions.js';
import { createStanding } from './session/standing.js';
import { createStats, type Stats } from './stats.js';
import type { Transport, TransportHandlers, TransportOptions } from './transport/transport.js';
import { createUwsTransport, loadUws } from './transport/uws.js';
import { createWsTransport } from './transport/ws.js';
import { VERSION } from './version.js';

export interface Gateway {
  readonly port: number;
  /** Where `/health/*` and `/metrics` are, if not on `port`. */
  readonly healthPort: number | undefined;
  readonly transport: Transport['name'];
  readonly stats: Stats;
  /** Sends everyone elsewhere (4000, spread over time), waits for them and for HTTP requests up to `drainMs`, then ends. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly clock?: Clock;
  /** This process is one of several on the same port. */
  readonly worker?: {
    /** From 1. */
    readonly index: number;
    /** Name of the gateway that they make up; in the metrics of all. */
    readonly node: string;
    /** Turns this worker's metrics into those of all. */
    readonly share: (registry: Metrics['registry']) => () => Promise<string>;
  };
  /** The page at `/`, in development. */
  readonly files?: StaticFiles | undefined;
  /** Lines that the log lost so far, for the metrics. */
  readonly logLinesLost?: () => number;
}

/** A request body: 1,000 messages rarely come near; what does is sent in several batches. */
const MIN_BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** What a request needs beside the payload of its one message: channel, key, tags. */
const BODY_OVERHEAD_BYTES = 64 * 1024;

/** @throws if the broker can't serve or the port is taken, with one clear line. */
export async function startGateway(config: Config, logger: Logger, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? systemClock;
  const stats = createStats();
  const onFault = (message: string, error?: unknown) => logger.error({ error }, message);
  const redis = await openRedis(config, clock, logger);
  const broker = await createBroker(clock, logger, redis);
  await broker.start().catch((error) => {
    redis?.close();
    throw error;
  });

  // The transport calls into sessions and api, which send through the transport.
  let handlers: TransportHandlers<Session>;
  const create = pickTransport(config, logger);
  const transport = create<Session>(
    {
      maxFrameBytes: 4 * config.limits.frameBytes,
      maxBufferedBytes: config.limits.bufferedBytes,
      maxBodyBytes: Math.max(MIN_BODY_LIMIT_BYTES, config.namespaces.maxMessageBytes + BODY_OVERHEAD_BYTES),
      idleTimeoutMs: 2 * (config.timings.pingIntervalMs + config.timings.pongTimeoutMs),
    },
    {
      onUpgrade: (request) => handlers.onUpgrade(request),
      onRequest: (request) => handlers.onRequest(request),
    },
  );
  const hub = new Hub({ broker, transport, clock, stats, onFault });
  const { namespaces, limits, timings, node } = config;
  const { authenticator, application } = createAuthentication(config, clock, logger);
  const channels = createChannels({
    broker: { publish: hub.publish, read: broker.read.bind(broker) },
    namespaces,
    application,
    stats,
    room: () => hub.outbox.room(),
    onFault,
  });
  const instance = randomUUID();
  const presence = new Presence({
    store: await createPresenceStore({ broker, redis, clock, instance, config, gateways: (): number => fleet.size }),
    outbox: hub.outbox,
    clock,
    timings: config.presence,
    onFault,
  });
  const sessionPresence = new SessionPresence(presence, channels.access);
  const conversations = [
    createFanfareConversation({
      dialects: [RAW_DIALECTS.json, RAW_DIALECTS.msgpack],
      node,
      clock,
      stats,
      maxFrameBytes: limits.frameBytes,
      pingIntervalMs: timings.pingIntervalMs,
      resumeGraceMs: timings.resumeGraceMs,
      idempotencyMs: broker.idempotencyMs,
      onFault,
    }),
  ];
  const sessions = new Sessions({
    services: {
      hub,
      authenticator,
      commands: createCommands({ channels, clock, presence: sessionPresence, onFault }),
      listeners: [sessionPresence, createStanding({ channels, onFault })],
      clock,
      stats,
      limits,
      onFault,
    },
    node,
    timings: { ...timings, lagMs: limits.lagMs },
  });
  const isAllowedOrigin = createOriginCheck(config.allowedOrigins);
  const startedAt = clock.now();
  const fleet = new BrokerFleet({
    broker,
    clock,
    instance,
    self: () => ({
      node,
      version: VERSION,
      connections: sessions.size,
      uptimeMs: Math.round(clock.now() - startedAt),
    }),
    channels: () => hub.channels(),
  });
  const dependencies: ApiDependencies = {
    channels,
    presence,
    apiKeys: config.apiKeys,
    fleet,
    isAllowedOrigin,
    stats,
    version: VERSION,
    files: options.files,
    isWebSocketPath: (path) => conversations.some((one) => one.serves(path)),
    healthElsewhere: config.healthPort !== undefined,
    health: () => withStalls(broker.health(), hub.stalls()),
    isStopping: () => sessions.isDraining,
    metrics: createSharedMetrics(
      {
        stats,
        node,
        version: VERSION,
        health: () => broker.health(),
        stalls: () => hub.stalls(),
        brokerStats: broker.stats?.bind(broker),
        brokerRefusals: broker.refusals?.bind(broker),
        logLinesLost: options.logLinesLost,
      },
      options.worker,
      clock,
    ),
    onFault,
  };
  handlers = {
    onUpgrade: createAcceptor({ sessions, conversations, isAllowedOrigin }),
    onRequest: createApi(dependencies),
  };

  const closing = [
    () => transport.close(),
    () => fleet.close(),
    () => presence.close(),
    () => hub.close(),
    () => broker.close(),
    () => redis?.close(),
  ];
  try {
    const { port } = await transport.listen({
      host: config.host,
      port: config.port,
      shared: options.worker !== undefined,
    });
    fleet.start();
    presence.start();
    let healthPort: number | undefined;
    if (config.healthPort !== undefined) {
      const aside = createWsTransport<never>(HEALTH_TRANSPORT, {
        onUpgrade: () => ({ accept: false, status: 404, body: 'not found' }),
        onRequest: createHealthApi(dependencies),
      });
      closing.unshift(() => aside.close());
      ({ port: healthPort } = await aside.listen({
        host: config.host,
        port: config.healthPort,
        shared: options.worker !== undefined,
      }));
    }
    return {
      port,
      healthPort,
      transport: transport.name,
      stats,
      async close() {
        transport.stopListening();
        sessions.drain();
        const endsAt = clock.now() + timings.drainMs;
        const isBusy = () => sessions.size > 0 || transport.openRequests > 0;
        while (isBusy() && clock.now() < endsAt) await sleep(clock, 20);
        sessions.close();
        for (const close of closing) await close();
      },
    };
  } catch (error) {
    sessions.close();
    for (const close of closing) await close();
    throw error;
  }
}

function createSharedMetrics(
  metricsOptions: MetricsOptions,
  worker: GatewayOptions['worker'],
  clock: Clock,
): Omit<Metrics, 'registry'> {
  if (!worker) {
    const { contentType, text } = createMetrics(metricsOptions);
    return { contentType, text: shared(text, clock) };
  }
  const { registry, contentType } = createMetrics({ ...metricsOptions, node: worker.node, worker: worker.index });
  return { contentType, text: shared(worker.share(registry), clock) };
}

const HEALTH_TRANSPORT: TransportOptions = {
  maxFrameBytes: 1024,
  maxBufferedBytes: 1024 * 1024,
  maxBodyBytes: 64 * 1024,
  idleTimeoutMs: 60_000,
};

/** What every part that keeps something in Redis stands on; `undefined` where no Redis is configured. */
async function openRedis({ redisUrl }: Config, clock: Clock, log: Logger): Promise<RedisDeployment | undefined> {
  if (redisUrl === undefined) return undefined;
  const [{ RedisDeployment }, { parseRedisUrl }] = await Promise.all([
    import('./redis/deployment.js'),
    import('./redis/url.js'),
  ]);
  return new RedisDeployment({ target: parseRedisUrl(redisUrl), clock, log });
}

async function createBroker(clock: Clock, logger: Logger, deployment: RedisDeployment | undefined): Promise<Broker> {
  if (!deployment) return createMemoryBroker({ clock });
  const { createRedisBroker } = await import('./broker/redis/redis-broker.js');
  return createRedisBroker({ deployment, logger });
}

interface PresenceParts {
  readonly broker: Broker;
  readonly redis: RedisDeployment | undefined;
  readonly clock: Clock;
  readonly instance: string;
  readonly config: Config;
  readonly gateways: () => number;
}

async function createPresenceStore(parts: PresenceParts): Promise<PresenceStore> {
  const { broker, redis, clock, instance, config, gateways } = parts;
  if (!redis) return new MemoryPresence({ broker, clock });
  const { RedisPresence } = await import('./presence/redis/redis-presence.js');
  const { leaseMs } = config.presence;
  const timings = { leaseMs, renewMs: leaseMs / 3 };
  return new RedisPresence({ deployment: redis, broker, gateway: instance, gateways, timings });
}

/** `auto` takes uWebSockets.js where its addon loads. */
function pickTransport(config: Config, logger: Logger): typeof createUwsTransport {
  if (config.transport === 'ws') return createWsTransport;
  const loaded = loadUws();
  if (loaded.addon) return createUwsTransport;
  if (config.transport === 'uws') throw new Error(`uWebSockets.js does not load here: ${loaded.reason}`);
  logger.warn({ reason: loaded.reason }, 'uWebSockets.js does not load here, using the slower ws transport');
  return createWsTransport;
}
