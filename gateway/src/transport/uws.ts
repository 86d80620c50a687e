import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
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
import { listHeader, serveUws } from './uws-http.js';
import { addressText, UwsSocket, type UwsUserData, type UwsWebSocket } from './uws-socket.js';

export { loadUws } from './uws-addon.js';

/**
 * The transport on uWebSockets.js. Topics are native: one call for each frame, and no JavaScript runs for each
 * subscriber.
 *
 * What differs from the port: a socket's limit is checked before a frame is added, so that one frame more than
 * `maxBufferedBytes` may wait; idle timeouts have a resolution of 4 s and lie within 8-960 s; responses carry `Date`
 * and `uWebSockets` headers; what follows of a body that was refused is dropped natively, to its end, since a response
 * that was ended can no longer be closed.
 *
 * A renewed certificate is a second app beside the first, which keeps its connections. The port is left and taken anew
 * within one turn of the event loop: a client that connects in that very moment may be refused, and comes again.
 *
 * Not in our hands either: when a socket is closed while nothing waits to be sent, `onClose` comes at once, and a peer
 * that never finishes the handshake keeps its descriptor for some 16 s; HTTP/1.0 and request targets in absolute form
 * are refused with 505 in words of its own; idle HTTP connections are closed after 8 to 12 s (`HTTP_IDLE_TIMEOUT_S` in
 * its `HttpContext.h`); a request without `Host` is not answered at all; of two `Content-Length` headers the first one
 * counts.
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
  /** Where the transport listens, or was told to listen. */
  let address: Required<ListenAddress> | undefined;
  const { clientAddress = (peer: string) => peer } = options;
  /** Makes the session of the upgrade that is being accepted: uWebSockets.js calls `open` from within `upgrade`. */
  let openSession: ((socket: Socket) => S) | undefined;
  let openAddress = '';

  const http = new HttpContext(options, (request) => handlers.onRequest(request));

  /** @throws {Error} if the certificate can't be used. */
  function createGeneration(): Generation {
    const { tls } = options;
    const app = tls ? uws.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key }) : uws.App();
    const generation: Generation = { app, listening: undefined, open: 0 };
    const onConnection = (change: number): boolean => {
      generation.open += change;
      if (generation.open === 0) former.delete(generation);
      if (change > 0) return gate.enter();
      gate.leave();
      return true;
    };
    app.ws<UwsUserData<S>>('/*', {
      compression: uws.DISABLED,
      maxPayloadLength: options.maxFrameBytes,
      maxBackpressure: options.maxBufferedBytes,
      closeOnBackpressureLimit: 0,
      idleTimeout: idleTimeoutSeconds(options.idleTimeoutMs),
      sendPingsAutomatically: false,
      upgrade(response, request, context) {
        const peer = addressText(response.getRemoteAddressAsText());
        openAddress = clientAddress(peer, listHeader(request, 'x-forwarded-for'));
        const result = handlers.onUpgrade({
          path: request.getUrl(),
          query: request.getQuery() ?? '',
          subprotocols: listItems(listHeader(request, 'sec-websocket-protocol')),
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
        onConnection(-1);
        ws.socket?.onClose(code, reason);
      },
    });
    // uWebSockets.js does not report the end of an HTTP connection that became a WebSocket.
    const onChange = (response: HttpResponse, change: number) => {
      if (!onConnection(change)) response.close();
    };
    app.filter((response, change) => onChange(response, Number(change)));
    app.any('/*', (response, request) => serveUws(response, request, http));
    return generation;
  }

  /** Apps with an older certificate, for as long as they have connections. */
  const former = new Set<Generation>();
  let current = createGeneration();

  /** Tries to listen. Returns whether it worked. */
  function startListening(generation: Generation, { host, port, shared }: Required<ListenAddress>): boolean {
    const mode = shared ? LISTEN_SHARED : LISTEN_EXCLUSIVE;
    (generation.app as unknown as ListenWithMode).listen(host, port, mode, (socket) => {
      generation.listening = socket || undefined;
    });
    return generation.listening !== undefined;
  }

  function endListening(generation: Generation): void {
    if (generation.listening !== undefined) uws.us_listen_socket_close(generation.listening);
    generation.listening = undefined;
  }

  return {
    name: 'uws',

    async listen({ host, port, shared = false }: ListenAddress) {
      // With port 0 uSockets sets neither SO_REUSEADDR nor SO_REUSEPORT: nobody could share the port,
      // and a successor could not have it while connections linger.
      const named = port === 0 ? await probePort(host, 0) : port;
      address = { host, port: named, shared };
      if (!startListening(current, address)) {
        // uWebSockets.js does not say why listening failed; the probe does.
        await probePort(host, named);
        throw new Error(`cannot listen on ${host}:${named}`);
      }
      return { port: named };
    },

    renewCertificate() {
      if (!options.tls) return;
      const next = createGeneration();
      // A port that is taken exclusively has to be left before it can be taken again, both within this turn.
      endListening(current);
      if (current.open > 0) former.add(current);
      current = next;
      if (address && !startListening(current, address)) throw new Error(`cannot listen on port ${address.port} again`);
    },

    publish(topic, frame, binary) {
      notices.tell();
      current.app.publish(topic, frame, binary);
      for (const { app } of former) app.publish(topic, frame, binary);
      notices.tell();
    },

    subscribers(topic) {
      let count = current.app.numSubscribers(topic);
      for (const { app } of former) count += app.numSubscribers(topic);
      return count;
    },

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
      endListening(current);
      address = undefined;
    },

    async close() {
      for (const { app } of [current, ...former]) app.close();
      current.listening = address = undefined;
      // Every `onClose` comes before this.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/**
 * One app of uWebSockets.js with the certificate that it was made with. A new certificate needs a new app beside the
 * old one.
 */
interface Generation {
  readonly app: TemplatedApp;
  listening: us_listen_socket | undefined;
  /** How many connections this app has, HTTP and WebSocket together. */
  open: number;
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
