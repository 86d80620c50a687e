import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import { readCertificate } from './certificate.js';
import { ConnectionGate } from './connection-gate.js';
import { DropNotices } from './drop-notices.js';
import { HttpContext } from './http-context.js';
import { listItems } from './http-headers.js';
import { toListenError } from './listen-probe.js';
import { TopicTable } from './topic-table.js';
import {
  DEFAULT_HTTP_HEAD_MS,
  FORCED_CLOSE_MS,
  type SocketSession,
  type Transport,
  type TransportHandlers,
  type TransportOptions,
  type UpgradeResult,
} from './transport.js';
import { headerOf, refuseBadRequest, serveWs, splitTarget } from './ws-http.js';
import { plainAddress, WsSocket, type WsSocketContext } from './ws-socket.js';

/** How often idle sockets are looked for, ms; less if the idle timeout is short. */
const IDLE_SWEEP_MS = 4_000;

/** How often slow requests are looked for, ms; more often if a request may take less time than that. */
const MAX_CHECK_MS = 5_000;
/**
 * How long an idle HTTP connection stays open, ms. It has to be longer than load balancers keep theirs (AWS ALB and
 * nginx: 60 s).
 */
const KEEP_ALIVE_MS = 75_000;

type Accepted<S extends SocketSession> = Extract<UpgradeResult<S>, { accept: true }>;

/**
 * The transport on `ws` and node:http, for machines where uWebSockets.js does not load. A topic is a
 * set of sockets and publishing is a loop over it.
 *
 * What differs from the port: a socket's limit is checked before a frame is added, as uWebSockets.js
 * does it, so that one frame more than `maxBufferedBytes` may wait. With `shared`, listening is left
 * to node:cluster.
 */
export function createWsTransport<S extends SocketSession>(
  options: TransportOptions,
  handlers: TransportHandlers<S>,
): Transport {
  const sockets = new Set<WsSocket<S>>();
  const context: WsSocketContext<S> = {
    maxBufferedBytes: options.maxBufferedBytes,
    topics: new TopicTable(),
    notices: new DropNotices(),
  };
  /** The upgrade that is being accepted: it is set and used within one call of `handleUpgrade`. */
  let accepted: Accepted<S> | undefined;
  const addressOf = (message: IncomingMessage): string =>
    http.clientAddress(plainAddress(message.socket.remoteAddress), headerOf(message, 'x-forwarded-for'));
  const upgraderOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxFrameBytes,
    // Limits close handshakes that the peer began; @types/ws does not know the option yet.
    closeTimeout: FORCED_CLOSE_MS,
    verifyClient({ req: message }, respond) {
      const result = handlers.onUpgrade({
        ...splitTarget(message.url ?? '/'),
        subprotocols: listItems(headerOf(message, 'sec-websocket-protocol')),
        header: (name) => headerOf(message, name),
        remoteAddress: addressOf(message),
      });
      accepted = result.accept ? result : undefined;
      if (result.accept) respond(true);
      else respond(false, result.status, `${result.body}\n`, { 'Content-Type': 'text/plain' });
    },
    handleProtocols: () => accepted?.subprotocol ?? false,
  };
  const upgrader = new WebSocketServer(upgraderOptions);
  const { httpHeadMs = DEFAULT_HTTP_HEAD_MS, tls } = options;
  const http = new HttpContext(options, (request) => handlers.onRequest(request));
  const httpOptions = { connectionsCheckingInterval: Math.min(MAX_CHECK_MS, httpHeadMs / 4, http.requestMs / 4) };
  const serveHttp = (message: IncomingMessage, response: ServerResponse) => void serveWs(message, response, http);
  const secure =
    tls && createTlsServer({ ...httpOptions, ...readCertificate(tls), handshakeTimeout: httpHeadMs }, serveHttp);
  const server = secure ?? createServer(httpOptions, serveHttp);

  server.requestTimeout = http.requestMs;
  server.headersTimeout = Math.min(httpHeadMs, http.requestMs);
  server.timeout = http.requestMs;
  // Node tells clients this value in a `Keep-Alive` header.
  server.keepAliveTimeout = KEEP_ALIVE_MS;

  const gate = new ConnectionGate(options);
  // A connection that is served again without its `Upgrade` header is announced twice.
  const known = new WeakSet<NetSocket>();
  server.on('connection', (socket: NetSocket) => {
    if (known.has(socket)) return;
    known.add(socket);
    socket.once('close', () => gate.leave());
    if (!gate.enter()) socket.destroy();
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refuseBadRequest(error, socket as NetSocket, http),
  );

  server.on('upgrade', (message, stream: Duplex, head) => {
    const net = stream as NetSocket;
    if (message.headers.upgrade?.toLowerCase() !== 'websocket') {
      serveWithoutUpgrade(server, message, net, head);
      return;
    }
    upgrader.handleUpgrade(message, net, head, (ws) => {
      const socket = new WsSocket<S>(ws, net, context, addressOf(message));
      sockets.add(socket);
      ws.on('close', () => {
        sockets.delete(socket);
        if (sockets.size === 0) onLastGone();
      });
      socket.session = (accepted as Accepted<S>).session(socket);
    });
  });

  const sweeper =
    options.idleTimeoutMs > 0 &&
    setInterval(endIdleSockets, Math.min(IDLE_SWEEP_MS, options.idleTimeoutMs / 2)).unref();

  function endIdleSockets(): void {
    const oldest = performance.now() - options.idleTimeoutMs;
    for (const socket of sockets) if (socket.activeAtMs < oldest) socket.terminate();
  }

  let onLastGone = (): void => {};
  let closed: Promise<void> | undefined;
  function stopListening(): Promise<void> {
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  }

  return {
    name: 'ws',

    listen: ({ host, port, shared = false }) =>
      new Promise((resolve, reject) => {
        // Stays for good: an accept that fails must not end the process.
        server.on('error', (error) => reject(toListenError(error, host, port)));
        server.listen({ host, port, exclusive: !shared }, () => {
          const address = server.address();
          resolve({ port: typeof address === 'object' && address !== null ? address.port : port });
        });
      }),

    publish(topic, frame, binary) {
      context.notices.tell();
      const bytes = typeof frame === 'string' ? Buffer.from(frame) : frame;
      for (const socket of context.topics.subscribers(topic)) socket.send(bytes, binary);
      context.notices.tell();
    },

    subscribers: (topic) => context.topics.size(topic),

    get isCrowded() {
      return gate.isCrowded;
    },

    renewCertificate() {
      if (tls) secure?.setSecureContext(readCertificate(tls));
    },

    get openRequests() {
      return http.open;
    },

    endConnectionsWithAnswers() {
      http.isStopping = true;
    },

    stopListening() {
      http.isStopping = true;
      void stopListening();
    },

    async close() {
      if (sweeper) clearInterval(sweeper);
      const allGone =
        sockets.size > 0 &&
        new Promise<void>((resolve) => {
          onLastGone = resolve;
        });
      for (const socket of sockets) socket.terminate();
      server.closeAllConnections();
      await Promise.all([stopListening(), allGone]);
    },
  };
}

/**
 * Serves a request as if it had no `Upgrade` header. Node treats every request with that header as an upgrade, also one
 * to another protocol, such as `h2c` by Java's HttpClient and `curl --http2`. A server may ignore that (RFC 9110
 * section 7.8), so the request is served once more without the header.
 */
function serveWithoutUpgrade(
  server: Server | TlsServer,
  message: IncomingMessage,
  socket: NetSocket,
  rest: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = message;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!/^(upgrade|connection)$/i.test(name)) head += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), rest]));
  server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket);
}
