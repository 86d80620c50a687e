/** Where a gateway listens: its transport, and a port aside for health and metrics if one is configured. */
import { createHealthApi, type HttpDependencies } from './api/api.js';
import { CertificateRenewal } from './certificate-renewal.js';
import type { Clock } from './clock.js';
import type { Config } from './config/config.js';
import { type Descriptors, limitFor, readDescriptors, ShortageLog } from './observability/descriptors.js';
import type { Logger } from './observability/logger.js';
import { watchRefusals } from './observability/refusals.js';
import type { Session } from './session/session.js';
import { count } from './stats.js';
import { readCertificate } from './transport/certificate.js';
import { createClientAddress } from './transport/client-address.js';
import { KEPT_FOR_HTTP } from './transport/connection-gate.js';
import type {
  CertificateFiles,
  Transport,
  TransportHandlers,
  TransportOptions,
  UpgradeRequest,
  UpgradeResult,
} from './transport/transport.js';
import { createUwsTransport, loadUws } from './transport/uws.js';
import { createWsTransport } from './transport/ws.js';

interface Listeners {
  readonly transport: Transport;
  readonly port: number;
  readonly healthPort: number | undefined;
  /** From now on these handlers answer, in place of those before. */
  serve(handlers: TransportHandlers<Session>): void;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

interface ListenersOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly http: HttpDependencies;
  /** The handlers that answer until `serve` is called with others. */
  readonly handlers: TransportHandlers<Session>;
  /** Whether other processes of this gateway listen on the same ports. */
  readonly isShared: boolean;
}

/**
 * Least limit for request bodies, bytes. 1,000 messages rarely come near; if they do, they have to be sent in several
 * batches.
 */
const MIN_BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** Bytes that a request needs besides the payload of its one message, for channel, key and tags. */
const BODY_OVERHEAD_BYTES = 64 * 1024;

const HEALTH_TRANSPORT: TransportOptions = {
  maxFrameBytes: 1024,
  maxBufferedBytes: 1024 * 1024,
  maxBodyBytes: 64 * 1024,
  idleTimeoutMs: 60_000,
};

const CROWDED: UpgradeResult<Session> = { accept: false, status: 503, body: 'too many connections' };

/** @throws {Error} with one clear line, if a port is taken or the certificate can't be used */
export async function openListeners(config: Config, options: ListenersOptions): Promise<Listeners> {
  const { logger, clock, http, isShared } = options;
  let { handlers } = options;
  const descriptors = readDescriptors();
  const shortage = descriptors && new ShortageLog(descriptors, logger);
  const decide = (request: UpgradeRequest): UpgradeResult<Session> => {
    if (!transport.isCrowded) return handlers.onUpgrade(request);
    shortage?.refused();
    return CROWDED;
  };
  const tls = certificateFiles(config);
  // This says what is wrong with the certificate in better words than any transport.
  if (tls) readCertificate(tls);
  const transport: Transport = pickTransport(config, logger)<Session>(
    {
      maxFrameBytes: 4 * config.limits.frameBytes,
      maxBufferedBytes: config.limits.bufferedBytes,
      maxBodyBytes: Math.max(MIN_BODY_LIMIT_BYTES, config.namespaces.maxMessageBytes + BODY_OVERHEAD_BYTES),
      idleTimeoutMs: 2 * (config.timings.pingIntervalMs + config.timings.pongTimeoutMs),
      clientAddress: createClientAddress(config.trustedProxies),
      ...(tls && { tls }),
      httpHeadMs: config.limits.httpHeadMs,
      httpRequestMs: config.limits.httpRequestMs,
      onSlow: (limit) => count(http.stats.limitsHit, limit),
      ...(descriptors && { maxConnections: descriptors.connections }),
      onConnections(open, isRefused) {
        if (isRefused) http.stats.refusedConnections++;
        if (isRefused) shortage?.refused();
        else shortage?.observe(open);
      },
    },
    {
      onUpgrade: watchRefusals(decide, http.stats, logger),
      onRequest: (request) => handlers.onRequest(request),
    },
  );
  const aside =
    config.healthPort === undefined
      ? undefined
      : createWsTransport<never>(HEALTH_TRANSPORT, {
          onUpgrade: () => ({ accept: false, status: 404, body: 'not found' }),
          onRequest: createHealthApi(http),
        });
  const renewal =
    tls &&
    new CertificateRenewal({ files: tls, checkMs: config.tls.checkMs, transport, clock, stats: http.stats, logger });
  const close = async () => {
    renewal?.close();
    await aside?.close();
    await transport.close();
  };
  if (descriptors) compareWithLimit(config.limits.connections, descriptors, logger);
  try {
    const { host, port, healthPort = 0 } = config;
    const main = await transport.listen({ host, port, shared: isShared });
    const other = await aside?.listen({ host, port: healthPort, shared: isShared });
    renewal?.start();
    return {
      transport,
      port: main.port,
      healthPort: other?.port,
      serve(next) {
        handlers = next;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Warns if fewer connections are possible than the configuration promises. */
function compareWithLimit(configured: number, descriptors: Descriptors, logger: Logger): void {
  const connections = descriptors.connections - KEPT_FOR_HTTP;
  if (!Number.isFinite(configured) || configured <= connections) return;
  const { limit } = descriptors;
  logger.warn(
    { limit, needed: limitFor(configured + KEPT_FOR_HTTP, descriptors), connections, configured },
    'fewer connections are possible than limits.connections: the process may not open more files (ulimit -n)',
  );
}

/** Both files or none: the configuration was checked. */
function certificateFiles({ tls: { cert, key } }: Config): CertificateFiles | undefined {
  return cert !== undefined && key !== undefined ? { cert, key } : undefined;
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
