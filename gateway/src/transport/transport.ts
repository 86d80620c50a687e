/**
 * The transport port: accepts WebSocket connections and HTTP requests, sends bytes, has topics.
 * It knows nothing of frames, channels or sessions. Adapters: `uws.ts`, `ws.ts`; the suite in
 * `test/cases/transport.cases.ts` holds both to what is written here.
 *
 * Every buffer handed to a handler is lent for the call unless it says otherwise: copy to keep.
 */
export interface Transport {
  readonly name: 'uws' | 'ws';
  /** Starts to accept. @throws {PortTakenError} if something listens there already. */
  listen(address: ListenAddress): Promise<{ readonly port: number }>;
  /**
   * Sends one frame to every socket on the topic, at once. Call it from the loop's own turn
   * (`Clock.soon`), never inside a handler, and at most {@link MAX_PUBLISHES_PER_TURN} times a turn:
   * uWebSockets.js drains a subscriber at its 33rd pending publish, while others are being queued.
   * Frames of one topic arrive in call order, and in order with direct sends to the same socket.
   */
  publish(topic: string, frame: Uint8Array | string, binary: boolean): void;
  /** How many sockets are on the topic now. */
  subscribers(topic: string): number;
  /**
   * Whether so many of `maxConnections` are taken that the rest is kept for HTTP; upgrades to WebSocket are then
   * refused.
   */
  readonly isCrowded: boolean;
  /**
   * How many HTTP requests are not answered yet. A request that the peer gave up counts until its handler has answered.
   */
  readonly openRequests: number;
  /**
   * New connections get the certificate that the files of `tls` hold now; open connections keep the one they have. Does
   * nothing without `tls`.
   * @throws {Error} if the certificate can't be used; then nothing has changed.
   */
  renewCertificate(): void;
  /** From now on each HTTP connection ends with its next answer. New connections are accepted as before. */
  endConnectionsWithAnswers(): void;
  /** Stops accepting connections. Open sockets stay; HTTP connections end with their next answer. */
  stopListening(): void;
  /** Ends all connections at once. Sockets end without a close frame. */
  close(): Promise<void>;
}

/**
 * Most publishes in one turn of the event loop, for all publishers together. uWebSockets.js holds 32 pending publishes
 * for each subscriber (`TopicTree.h`) and drains the subscriber at the 33rd. If that drops frames, the 33rd stays
 * queued and was seen to arrive after the hole.
 */
export const MAX_PUBLISHES_PER_TURN = 32;

export interface ListenAddress {
  readonly host: string;
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  /** Share the port with other processes of this gateway (workers). Default false: exclusive. */
  readonly shared?: boolean;
}

/** Paths of the PEM files of a certificate. */
export interface CertificateFiles {
  /** Path of the file with the certificate, followed by those that signed it, up to the root. */
  readonly cert: string;
  /** Path of the file with the private key of the certificate, not encrypted. */
  readonly key: string;
}

export interface TransportOptions {
  /** Largest WebSocket frame, bytes; a larger one ends the connection (1006 or 1009). */
  readonly maxFrameBytes: number;
  /**
   * Most unsent bytes of a socket: while more than this wait, a frame for it is dropped. So one frame more than this
   * may be held.
   */
  readonly maxBufferedBytes: number;
  /** Most bytes of an HTTP request body; a larger one is `too_large`. */
  readonly maxBodyBytes: number;
  /**
   * Most bytes that the bodies of all open requests take up together; a body beyond that is `no_room`. Default 8 times
   * `maxBodyBytes`.
   */
  readonly maxBodiesBytes?: number;
  /** The transport speaks TLS with the certificate in these files. Default: it does not speak TLS. */
  readonly tls?: CertificateFiles;
  /**
   * How long a peer may take for the head of an HTTP request, and for the TLS handshake before it, ms. Default
   * 10 s. uWebSockets.js has a limit of its own: 10 to 12 s from the connection to the head.
   */
  readonly httpHeadMs?: number;
  /**
   * How long a peer may take to send a whole HTTP request, or stand still while it is answered, ms. Default 30 s. uWebSockets.js
   * besides ends a peer that sends less than 16 KiB a second of a body, and one that stands still for 10 s.
   */
  readonly httpRequestMs?: number;
  /**
   * Called when a peer was cut off by `httpHeadMs` or `httpRequestMs`. Not called for the limits that uWebSockets.js
   * has of its own.
   */
  readonly onSlow?: (limit: SlowLimit) => void;
  /**
   * Most connections at a time, HTTP and WebSocket; a connection beyond that is closed as soon as it is accepted.
   * Default: no limit.
   */
  readonly maxConnections?: number;
  /**
   * Called when a connection came or went, with the number of open ones, and with whether the connection was closed for
   * being one too many.
   */
  readonly onConnections?: (open: number, isRefused: boolean) => void;
  /**
   * Finds the address of the client from the address of the peer and the `X-Forwarded-For` header, in which proxies say
   * for whom they speak. Default: the address of the peer.
   */
  readonly clientAddress?: (peer: string, forwardedFor: string) => string;
  /** A socket without any traffic for this long is terminated, ms: what stops those that the heartbeat did not. */
  readonly idleTimeoutMs: number;
}

/** The options that end slow peers. */
export type SlowLimit = 'httpHeadMs' | 'httpRequestMs';

export const DEFAULT_HTTP_HEAD_MS = 10_000;
export const DEFAULT_HTTP_REQUEST_MS = 30_000;

/**
 * What became of a frame: `sent`: the kernel has it. `buffered`: it was accepted and waits in this process. `dropped`:
 * it was not accepted.
 */
export type SendResult = 'sent' | 'buffered' | 'dropped';

/**
 * One WebSocket. Once `close` or `terminate` was called, every method does nothing (`send` returns `dropped`), except
 * that `cork` still calls back. Frames must not be changed after they were handed over.
 */
export interface Socket {
  send(frame: Uint8Array | string, binary: boolean): SendResult;
  /** Runs `callback` at once; what it sends leaves in as few writes as possible. */
  cork(callback: () => void): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Bytes that were accepted, and that the kernel does not have yet. */
  readonly bufferedBytes: number;
  /** Address of the client as text, as `clientAddress` finds it. It stays readable when the socket is gone. */
  readonly remoteAddress: string;
  /**
   * Begins the close handshake with this code and reason (cut to 123 bytes of UTF-8, between characters). If the peer
   * does not finish it within {@link FORCED_CLOSE_MS}, the connection is cut. `onClose` follows. The descriptor of the
   * socket may live longer where the adapter says so.
   */
  close(code: number, reason: string): void;
  /** Ends the link without a close frame. `onClose` follows with 1006. */
  terminate(): void;
}

export interface UpgradeRequest {
  readonly path: string;
  /** Raw query string, without `?`. */
  readonly query: string;
  /** Subprotocols offered, in the client's order. */
  readonly subprotocols: readonly string[];
  /** Header by its lower-case name; `''` if absent. */
  header(name: string): string;
  readonly remoteAddress: string;
}

export type UpgradeResult<Session> =
  | { readonly accept: true; readonly subprotocol: string | undefined; readonly session: (socket: Socket) => Session }
  | {
      readonly accept: false;
      readonly status: number;
      /** The reason in a few constant words. The peer is told it, and refusals are counted by it. */
      readonly body: string;
    };

/** What the transport tells the gateway. No handler may throw. */
export interface TransportHandlers<Session extends SocketSession> {
  /** Decides on a WebSocket upgrade, synchronously. `session` is called once the socket is open. */
  onUpgrade(request: UpgradeRequest): UpgradeResult<Session>;
  /**
   * Answers an HTTP request by its head alone, or returns a function that is given the body and answers then. Only in
   * the second case the body is read; otherwise it is thrown away as it comes. A GET has no body. The request object
   * may be kept.
   */
  onRequest(request: HttpRequest): HttpAnswer | BodyHandler;
}

/** The gateway's side of one socket. */
export interface SocketSession {
  /** Called with each whole frame that came in; `data` is lent for the call, so copy it to keep it. */
  onMessage(data: Uint8Array, binary: boolean): void;
  /**
   * A frame (topic or direct) did not fit `maxBufferedBytes` and was dropped. The frames accepted before it are a
   * contiguous prefix; later ones of the same batch may vanish without an event. It may be called several times. It is
   * called outside of `Transport.publish`, so that topics can be left here.
   */
  onDropped(): void;
  /** Called when some buffered bytes reached the kernel; `bufferedBytes` is 0 once all have. */
  onDrain(): void;
  /**
   * Called when the socket is gone; nothing is called after this. It is never called within a call of `close` or
   * `terminate`. The code is 1006, without a reason, if there was no close frame.
   */
  onClose(code: number, reason: string): void;
}

export interface HttpRequest {
  /** HTTP method in upper case. HEAD arrives as GET; its answer goes out without the body. */
  readonly method: string;
  readonly path: string;
  /** Raw query string, without `?`. */
  readonly query: string;
  /**
   * A header by its lower-case name; `''` if it is absent. Ask before the handler returns: afterwards it is always
   * `''`.
   */
  header(name: string): string;
  /** Address of the client as text, as `clientAddress` finds it. Ask before the handler returns. */
  readonly remoteAddress: string;
}

export type HttpAnswer = HttpResponse | Promise<HttpResponse>;

/** Answers a request by its body. Called once, or never if the peer gives up the upload. The bytes may be kept. */
export type BodyHandler = (body: HttpBody) => HttpAnswer;

/**
 * The bytes of a request body, or why there are none. `too_large`: it is over `maxBodyBytes`; where the head says so,
 * nothing of it is read. `no_room`: the bodies of other requests take up all of `maxBodiesBytes`.
 */
export type HttpBody = Uint8Array | 'too_large' | 'no_room';

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | Uint8Array;
}

export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
  constructor(host: string, port: number) {
    super(`port ${port} on ${host} is taken`);
  }
}

/** Cuts a close reason to 123 bytes of UTF-8 (RFC 6455 section 5.5) between characters. */
export function fitCloseReason(reason: string): string {
  let bytes = Buffer.from(reason);
  if (bytes.length <= 123) return reason;
  let end = 123;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  bytes = bytes.subarray(0, end);
  return bytes.toString();
}

/** How long a peer has to finish the close handshake before the link is cut, ms. */
export const FORCED_CLOSE_MS = 5_000;
