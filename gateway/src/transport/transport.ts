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
  /** Whether so many of `maxConnections` are taken that the rest is for HTTP: refuse upgrades. */
  readonly isCrowded: boolean;
  /** HTTP requests that are not answered yet; those given up by the peer count until they are. */
  readonly openRequests: number;
  /**
   * New connections get the certificate that its files hold now; those that are open keep theirs. Does nothing without `tls`.
   * @throws if it can't be used; then nothing has changed.
   */
  renewCertificate(): void;
  /** From now on each HTTP connection ends with its next answer; new ones are accepted as before. */
  endConnectionsWithAnswers(): void;
  /** Stops accepting; open sockets stay, HTTP connections end with their next answer. */
  stopListening(): void;
  /** Ends everything at once, sockets without a close frame. */
  close(): Promise<void>;
}

/**
 * uWebSockets.js holds 32 pending publishes a subscriber (`TopicTree.h`) and drains it at the 33rd. If
 * that drops frames, the 33rd stays queued and was seen to arrive after the hole: this is a limit for
 * all publishers of a turn together, not for each.
 */
export const MAX_PUBLISHES_PER_TURN = 32;

export interface ListenAddress {
  readonly host: string;
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  /** Share the port with other processes of this gateway (workers). Default false: exclusive. */
  readonly shared?: boolean;
}

/** Paths of PEM files. */
export interface CertificateFiles {
  /** The certificate, then those that signed it up to the root. */
  readonly cert: string;
  /** Its private key, not encrypted. */
  readonly key: string;
}

export interface TransportOptions {
  /** Largest WebSocket frame, bytes; a larger one ends the connection (1006 or 1009). */
  readonly maxFrameBytes: number;
  /** A frame is dropped while more unsent bytes than this wait; so one frame more may be held. */
  readonly maxBufferedBytes: number;
  /** Most bytes of an HTTP request body; a larger one is `too_large`. */
  readonly maxBodyBytes: number;
  /** Most bytes that the bodies of all open requests take up; one beyond is `no_room`. Default 8 times `maxBodyBytes`. */
  readonly maxBodiesBytes?: number;
  /** TLS is spoken, by the certificate in these files. Default: it is not. */
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
  /** Told of a peer that one of these ended. Not called by uWebSockets.js for its own limits. */
  readonly onSlow?: (limit: SlowLimit) => void;
  /** Most connections at a time, HTTP and WebSocket; one beyond is closed as soon as it is accepted. Default: no limit. */
  readonly maxConnections?: number;
  /** Told how many connections there are when one came or went, and whether one was closed for being one too many. */
  readonly onConnections?: (open: number, isRefused: boolean) => void;
  /**
   * Makes the address of the client of that of the peer and the `X-Forwarded-For` header, which says whom
   * a proxy speaks for. Default: the peer's.
   */
  readonly clientAddress?: (peer: string, forwardedFor: string) => string;
  /** A socket without any traffic for this long is terminated (backstop of the heartbeat), ms. */
  readonly idleTimeoutMs: number;
}

/** The options that end slow peers. */
export type SlowLimit = 'httpHeadMs' | 'httpRequestMs';

export const DEFAULT_HTTP_HEAD_MS = 10_000;
export const DEFAULT_HTTP_REQUEST_MS = 30_000;

/** `sent`: with the kernel. `buffered`: accepted, waiting in the process. `dropped`: not accepted. */
export type SendResult = 'sent' | 'buffered' | 'dropped';

/**
 * One WebSocket. Every method is a no-op (`send`: `dropped`) from the call of `close` or `terminate` on;
 * `cork` calls back all the same. Frames must not be changed after they were handed over.
 */
export interface Socket {
  send(frame: Uint8Array | string, binary: boolean): SendResult;
  /** Sends of `callback` leave in as few writes as possible. */
  cork(callback: () => void): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Bytes accepted but not yet with the kernel. */
  readonly bufferedBytes: number;
  /** Textual address of the client, as `clientAddress` says; stays when the socket is gone. */
  readonly remoteAddress: string;
  /**
   * Close handshake with code and reason (cut to 123 bytes of UTF-8, between characters); ended by force
   * if the peer does not finish it within {@link FORCED_CLOSE_MS}. `onClose` follows; its descriptor may
   * live longer where the adapter says so.
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
      /** The reason in a few constant words: the peer is told, and refusals are counted by it. */
      readonly body: string;
    };

/** What the transport tells the gateway. No handler may throw. */
export interface TransportHandlers<Session extends SocketSession> {
  /** Decides on a WebSocket upgrade, synchronously. `session` is called once the socket is open. */
  onUpgrade(request: UpgradeRequest): UpgradeResult<Session>;
  /**
   * Answers an HTTP request by its head, or returns a function that answers by its body too. A body is
   * read only then; of a request that is answered without, the rest is thrown away as it comes. A GET
   * has none. The request may be kept.
   */
  onRequest(request: HttpRequest): HttpAnswer | BodyHandler;
}

/** The gateway's side of one socket. */
export interface SocketSession {
  /** One whole frame; `data` is lent for the call. */
  onMessage(data: Uint8Array, binary: boolean): void;
  /**
   * A frame (topic or direct) did not fit `maxBufferedBytes` and was dropped. The frames accepted
   * before it are a contiguous prefix; later ones of the same batch may vanish without an event.
   * May come several times; comes outside of `Transport.publish`, so that topics can be left here.
   */
  onDropped(): void;
  /** Some buffered bytes reached the kernel; `bufferedBytes` is 0 when all have. */
  onDrain(): void;
  /**
   * The socket is gone; nothing is called after this. Never comes within a call of `close` or
   * `terminate`. 1006, without a reason, if there was no close frame.
   */
  onClose(code: number, reason: string): void;
}

export interface HttpRequest {
  /** HTTP method in upper case. HEAD arrives as GET; its answer goes out without the body. */
  readonly method: string;
  readonly path: string;
  /** Raw query string, without `?`. */
  readonly query: string;
  /** Header by its lower-case name, `''` if absent. To be asked before the handler returns; `''` afterwards. */
  header(name: string): string;
  /** Textual address of the client, as `clientAddress` says. To be asked before the handler returns. */
  readonly remoteAddress: string;
}

export type HttpAnswer = HttpResponse | Promise<HttpResponse>;

/** Called once, never if the upload is given up. The bytes may be kept. */
export type BodyHandler = (body: HttpBody) => HttpAnswer;

/**
 * `too_large`: over `maxBodyBytes`; told before anything is read where the head says so. `no_room`: the
 * bodies of other requests take up all of `maxBodiesBytes`.
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
