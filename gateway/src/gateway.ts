/** The composition root: the one place that picks engines and puts the parts together. */

import { randomUUID } from 'node:crypto';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { createApi, createWaitingApi, type HttpDependencies } from './api/api.js';
import { createControlRoutes } from './api/control.js';
import { KeyRates } from './api/key-rates.js';
import { createPresenceRoutes } from './api/presence.js';
import type { StaticFiles } from './api/static-files.js';
import { createWhyRoutes } from './api/why.js';
import { createOriginCheck } from './auth/origin.js';
import { createAuthentication } from './authentication.js';
import { createChannels } from './channels/channels.js';
import { type Clock, sleep, systemClock } from './clock.js';
import type { Config } from './config/config.js';
import { Control } from './control/control.js';
import { LocalControl } from './control/local.js';
import { createRevocableAuthenticator } from './control/revocable-authenticator.js';
import { Revocations } from './control/revocations.js';
import { createPresenceStore, createRevocationStore, createWebhooks, type Engine, startEngine } from './engines.js';
import { BrokerFleet } from './fleet/broker-fleet.js';
import { FlightRecorder } from './flight-recorder.js';
import { Hub } from './hub/hub.js';
import { StallLog } from './hub/stall-log.js';
import { openListeners } from './listeners.js';
import { createMonitoring, type GatewayState } from './monitoring.js';
import { LimitLog } from './observability/limit-log.js';
import type { Logger } from './observability/logger.js';
import type { WorkerMetrics } from './observability/metrics.js';
import { loadTracing } from './observability/tracing.js';
import { type Part, startParts } from './parts.js';
import { Presence } from './presence/presence.js';
import { SessionPresence } from './presence/session-presence.js';
import { createProbeLog } from './probe/probe-log.js';
import { SelfProbe } from './probe/self-probe.js';
import { createAcceptor } from './session/acceptor.js';
import { createCommands } from './session/commands.js';
import { createConnectionLog } from './session/connection-log.js';
import { createFanfareConversation } from './session/fanfare/fanfare.js';
import type { Session } from './session/session.js';
import { Sessions } from './session/sessions.js';
import { createStanding } from './session/standing.js';
import { createStats, type Stats } from './stats.js';
import type { Transport, TransportHandlers, UpgradeResult } from './transport/transport.js';
import { VERSION } from './version.js';
import { Occupancy } from './webhooks/occupancy.js';
import { createPublishRecorder, Why } from './why/why.js';

export interface Gateway {
  readonly port: number;
  /** Port of `/health/*` and `/metrics`, if it is not `port`. */
  readonly healthPort: number | undefined;
  readonly transport: Transport['name'];
  readonly stats: Stats;
  /**
   * Ends the gateway. It fails readiness at once and serves on for `stopDelayMs`. Then it sends all clients elsewhere
   * (4000, with times to come back that are spread over `drainMs`), waits up to 5 s for them and for HTTP requests, and
   * ends.
   */
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly clock?: Clock;
  /** Set if this process is one of several on the same port. */
  readonly worker?: WorkerMetrics;
  /** The page at `/`, in development. */
  readonly files?: StaticFiles | undefined;
  /** If it is aborted, the gateway gives up waiting for the broker. */
  readonly signal?: AbortSignal;
  /** Called when the gateway listens, and waits for its broker. */
  readonly onWaiting?: () => void;
  /** How many lines the log has lost so far, for the metrics. */
  readonly logLinesLost?: () => number;
}

/** How a gateway answers until its broker is there. */
const WAITING: UpgradeResult<Session> = { accept: false, status: 503, body: 'the gateway waits for its broker' };

/**
 * Listens, waits for the broker if it has to, and serves.
 * @throws {Error} with one clear line, if the broker can't serve or the port is taken
 */
export async function startGateway(config: Config, logger: Logger, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? systemClock;
  const stats = createStats();
  const onFault = (message: string, error?: unknown) => logger.error({ error }, message);
  const state: GatewayState = { phase: 'starting', engine: undefined, parts: undefined };
  const http: HttpDependencies = {
    apiKeys: config.apiKeys,
    isAllowedOrigin: createOriginCheck(config.allowedOrigins),
    stats,
    healthElsewhere: config.healthPort !== undefined,
    ...createMonitoring(state, {
      clock,
      stats,
      node: config.node,
      worker: options.worker,
      logLinesLost: options.logLinesLost,
    }),
    onFault,
  };
  // This goes first, so that whoever asks for its health is answered, and nobody restarts a gateway that only waits.
  const listeners = await openListeners(config, {
    logger,
    clock,
    http,
    handlers: { onUpgrade: () => WAITING, onRequest: createWaitingApi(http) },
    isShared: options.worker !== undefined,
  });
  const { transport, port, healthPort } = listeners;
  try {
    const engine = await startEngine(config, clock, logger, options);
    state.engine = engine;
    const assembled = await assemble(config, { clock, logger, http, transport, options }, engine);
    state.parts = assembled;
    // The parts go first: until it is known whose tokens were revoked, nobody is let in.
    const closeParts = await startParts(assembled.parts);
    listeners.serve(assembled.handlers);
    state.phase = 'serving';
    return {
      port,
      healthPort,
      transport: transport.name,
      stats,
      async close() {
        // Load balancers have to notice this before the port is closed, or they would send clients here in vain.
        state.phase = 'stopping';
        await drain(config, clock, transport, assembled);
        await listeners.close();
        await closeParts();
      },
    };
  } catch (error) {
    await listeners.close();
    // If the parts were put together, they have been closed already.
    if (!state.parts) await state.engine?.close();
    throw error;
  }
}

/** Serves on for `stopDelayMs`, sends everyone elsewhere, and waits for them and for HTTP requests, up to `closeMs`. */
async function drain(
  { stopDelayMs, drainMs, timings }: Config,
  clock: Clock,
  transport: Transport,
  { presence, sessions }: { readonly presence: Presence; readonly sessions: Sessions },
): Promise<void> {
  transport.endConnectionsWithAnswers();
  await sleep(clock, stopDelayMs);
  transport.stopListening();
  presence.drain(drainMs);
  await sessions.drain(drainMs);
  const endsAt = clock.now() + timings.closeMs;
  const isBusy = () => sessions.size > 0 || transport.openRequests > 0;
  while (isBusy() && clock.now() < endsAt) await sleep(clock, 20);
}

interface Surroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly http: HttpDependencies;
  readonly transport: Transport;
  readonly options: GatewayOptions;
}

/** Puts together the parts that serve clients, on a broker that was started. */
async function assemble(config: Config, { clock, logger, http, transport, options }: Surroundings, engine: Engine) {
  const { broker, redis } = engine;
  const { namespaces, limits, timings, node } = config;
  const { stats, onFault, isAllowedOrigin } = http;
  const authentication = createAuthentication(config, clock, logger);
  const { authenticator, application } = authentication;
  const revocations = new Revocations({
    store: await createRevocationStore(redis),
    clock,
    stats,
    onNew: (revocation) => void local.revoke(revocation),
    onFault,
  });
  const instance = randomUUID();
  const gateways = (): number => fleet.size;
  const webhooks = await createWebhooks({ config, redis, clock, instance, gateways, logger, onFault });
  const tracing = config.tracing ? await loadTracing(VERSION) : undefined;
  const recorder = new FlightRecorder(config.recordedEvents, () => clock.wall());
  const hub = new Hub({
    broker,
    transport,
    clock,
    stats,
    recorder,
    onReset: webhooks?.onReset,
    findMembership: (session, channel) => sessions.get(session)?.memberships.on(channel),
    onFault,
  });
  const channels = createChannels({
    broker: { publish: tracing ? tracing.wrap(hub.publish) : hub.publish, read: broker.read.bind(broker) },
    namespaces,
    application,
    stats,
    room: () => hub.scheduler.room(),
    listeners: [
      ...(webhooks ? [webhooks.onPublished] : []),
      ...(recorder.isOn ? [createPublishRecorder(recorder)] : []),
    ],
    onFault,
  });
  const presenceStore = await createPresenceStore({ broker, redis, clock, instance, config, gateways, webhooks });
  const occupancy = webhooks?.wantsChannels ? [new Occupancy(presenceStore, clock, instance)] : [];
  const presence = new Presence({
    store: presenceStore,
    scheduler: hub.scheduler,
    clock,
    timings: config.presence,
    onFault,
  });
  const sessionPresence = new SessionPresence(presence, channels.access);
  const conversations = [
    createFanfareConversation({
      dialects: [RAW_DIALECTS.json, RAW_DIALECTS.compact, RAW_DIALECTS.msgpack],
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
  const sessions: Sessions = new Sessions({
    services: {
      hub,
      authenticator: createRevocableAuthenticator(authenticator, revocations),
      commands: createCommands({ channels, clock, presence: sessionPresence, onFault }),
      listeners: [
        sessionPresence,
        ...occupancy,
        createStanding({ channels, onFault }),
        ...(isDetailed(config.logLevel)
          ? [createConnectionLog((fields, message) => logger.debug(fields, message), clock)]
          : []),
      ],
      clock,
      stats,
      limits,
      onFault,
    },
    node,
    timings: { ...timings, lagMs: limits.lagMs },
    admission: limits,
  });
  const local = new LocalControl(sessions, node, clock);
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
  const probe =
    config.probe.intervalMs > 0
      ? new SelfProbe({
          broker,
          clock,
          stats,
          instance,
          timings: config.probe,
          onState: createProbeLog(logger),
          onFault,
        })
      : undefined;
  const parts: Part[] = [
    engine,
    hub,
    ...(probe ? [probe] : []),
    new LimitLog(stats, clock, logger),
    new StallLog({ stalls: () => hub.stalls(), clock, log: logger }),
    webhooks?.queue ?? {},
    sessions,
    fleet,
    {
      routes: createControlRoutes(new Control({ fleet, local, revocations, clock, stats })),
      start: () => revocations.start(),
      close: () => revocations.close(),
    },
    { routes: createWhyRoutes(new Why({ fleet, recorder, hub, broker, namespaces, node })) },
    {
      routes: createPresenceRoutes(channels.access, presence),
      start: () => presence.start(),
      close: () => presence.close(),
    },
  ];
  const handlers: TransportHandlers<Session> = {
    onUpgrade: createAcceptor({ sessions, conversations, isAllowedOrigin }),
    onRequest: createApi({
      ...http,
      channels,
      keyRates: new KeyRates(limits.publishesPerSecondPerKey, clock, stats),
      routes: parts.flatMap(({ routes = [] }) => routes),
      fleet,
      version: VERSION,
      files: options.files,
      isWebSocketPath: (path) => conversations.some((one) => one.serves(path)),
    }),
  };
  return { hub, webhooks, authentication, probe, sessions, presence, handlers, parts };
}

/** Whether lines about single connections are logged. */
function isDetailed(level: Config['logLevel']): boolean {
  return level === 'debug' || level === 'trace';
}
