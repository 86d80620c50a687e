import type { HttpResponse, us_listen_socket } from 'uWebSockets.js';
import { ConnectionGate } from './connection-gate.js';
import { DropNotices } from './drop-notices.js';
import { HttpContext } from './http-context.js';
import { listItems, statusLine } from './http-headers.js';
import { probePort } from './listen-probe.js';
import type {
  ListenAddress,
  Socket,
  SocketSession,
  Transport,
  TransportHandlers,
  TransportOptions,
} from './transport.js';
import { loadUws } from './uws-addon.js';
import { serveUws } from './uws-http.js';
import { addressText, UwsSocket, type UwsUserData, type UwsWebSocket } from './uws-socket.js';

export { loadUws } from './uws-addon.js';

/**
 * The transport on uWebSockets.js. Topics are native: one call a frame, no JavaScript a subscriber.
 *
 * What differs from the port: a socket's limit is checked before a frame is added, so that one frame
 * more than `maxBufferedBytes` may wait; idle timeouts have a resolution of 4 s and lie within
 * 8-960 s; responses carry `Date` and `uWebSockets` headers; what follows of a body that was refused is
 * dropped natively, to its end, since a response that was ended can no longer be closed.
 *
 * Not in our hands either: of a socket that was closed while nothing waited, `onClose` comes at once, and
 * a peer that never finishes the handshake keeps its descriptor for some 16 s; HTTP/1.0 and request
 * targets in absolute form are refused with 505 in words of its own; idle HTTP connections are closed after
 * 8 to 12 s (`HTTP_IDLE_TIMEOUT_S` in its `HttpContext.h`); a request without `Host` is not answered at all; of two `Content-Length`
 * headers the first one counts.
 *
 * @throws {Error} if the addon does not load here; ask {@link loadUws} first.
 */
export function createUwsTransport<S extends SocketSession>(
  options: TransportOptions,
  handlers: TransportHandlers<S>,
): Transport {
  const loaded = loadUws();
  if (loaded.addon === undefined) throw new Error(`uWebSockets.js does not load: ${loaded.reason}`);
  const uws = loaded.addon;
  const notices = new DropNotices();
  const gate = new ConnectionGate(options);
  let listening: us_listen_socket | undefined;
  const { clientAddress = (peer: string) => peer } = options;
  /** From the accepted upgrade to `open`, which comes inside of it. */
  let openSession: ((socket: Socket) => S) | undefined;
  let openAddress = '';

  const app = uws.App();
  app.ws<UwsUserData<S>>('/*', {
    compression: uws.DISABLED,
    maxPayloadLength: options.maxFrameBytes,
    maxBackpressure: options.maxBufferedBytes,
    closeOnBackpressureLimit: 0,
    idleTimeout: idleTimeoutSeconds(options.idleTimeoutMs),
    sendPingsAutomatically: false,
    upgrade(response, request, context) {
      const peer = addressText(response.getRemoteAddressAsText());
      openAddress = clientAddress(peer, request.getHeader('x-forwarded-for'));
      const result = handlers.onUpgrade({
        path: request.getUrl(),
        query: request.getQuery() ?? '',
        subprotocols: listItems(request.getHeader('sec-websocket-protocol')),
        header: (name) => request.getHeader(name),
        remoteAddress: openAddress,
      });
      if (!result.accept) {
        response
          .writeStatus(statusLine(result.status))
          .writeHeader('Content-Type', 'text/plain')
          .end(`${result.body}\n`);
        return;
      }
      openSession = result.session;
      const key = request.getHeader('sec-websocket-key');
      response.upgrade<UwsUserData<S>>({}, key, result.subprotocol ?? '', '', context);
    },
    open(ws: UwsWebSocket<S>) {
      const socket = new UwsSocket(ws, notices, openAddress);
      ws.socket = socket;
      socket.session = (openSession as (socket: Socket) => S)(socket);
      openSession = undefined;
    },
    message: (ws: UwsWebSocket<S>, message, isBinary) => ws.socket?.onMessage(message, isBinary),
    dropped: (ws: UwsWebSocket<S>) => ws.socket?.onDropped(),
    drain: (ws: UwsWebSocket<S>) => ws.socket?.onDrain(),
    close(ws: UwsWebSocket<S>, code, reason) {
      gate.leave();
      ws.socket?.onClose(code, reason);
    },
  });
  // Of an HTTP connection that became a WebSocket it does not tell the end.
  const onConnection = (response: HttpResponse, change: number) => {
    if (change < 0) gate.leave();
    else if (!gate.enter()) response.close();
  };
  app.filter((response, change) => onConnection(response, Number(change)));
  const http = new HttpContext(options, (request) => handlers.onRequest(request));
  app.any('/*', (response, request) => serveUws(response, request, http));

  return {
    name: 'uws',

    async listen({ host, port, shared = false }: ListenAddress) {
      // With port 0 uSockets sets neither SO_REUSEADDR nor SO_REUSEPORT: nobody could share the port,
      // and a successor could not have it while connections linger.
      const named = port === 0 ? await probePort(host, 0) : port;
      const socket = await new Promise<us_listen_socket | false>((resolve) => {
        (app as unknown as ListenWithMode).listen(host, named, shared ? LISTEN_SHARED : LISTEN_EXCLUSIVE, resolve);
      });
      if (socket === false) {
        // It does not say why it failed; the probe does.
        await probePort(host, named);
        throw new Error(`cannot listen on ${host}:${named}`);
      }
      listening = socket;
      return { port: named };
    },

    publish(topic, frame, binary) {
      notices.tell();
      app.publish(topic, frame, binary);
      notices.tell();
    },

    subscribers: (topic) => app.numSubscribers(topic),

    get isCrowded() {
      return gate.isCrowded;
    },

    get openRequests() {
      return http.open;
    },

    endConnectionsWithAnswers() {
      http.isStopping = true;
    },

    stopListening() {
      http.isStopping = true;
      if (listening !== undefined) uws.us_listen_socket_close(listening);
      listening = undefined;
    },

    async close() {
      listening = undefined;
      app.close();
      // Every `onClose` comes before this.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

// The options are bits of uSockets (`libusockets.h`); the types lack the overload with host and options.
const LISTEN_SHARED = 0;
const LISTEN_EXCLUSIVE = 1;

interface ListenWithMode {
  listen(host: string, port: number, mode: number, callback: (socket: us_listen_socket | false) => void): void;
}

/** uWebSockets.js ends the process over values outside of 8-960 s; 0 means never. */
function idleTimeoutSeconds(ms: number): number {
  return ms === 0 ? 0 : Math.min(960, Math.max(8, Math.ceil(ms / 1000)));
}
