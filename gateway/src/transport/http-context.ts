import { BodyRoom, IncomingBody } from './http-body.js';
import {
  DEFAULT_HTTP_REQUEST_MS,
  type SlowLimit,
  type SocketSession,
  type TransportHandlers,
  type TransportOptions,
} from './transport.js';

type RequestHandler = TransportHandlers<SocketSession>['onRequest'];

/** What the HTTP requests of one transport share. */
export class HttpContext {
  readonly handler: RequestHandler;
  /** Requests that are not answered yet. */
  open = 0;
  /**
   * Whether the transport is stopping: each answer is then the last one on its connection, and says that it is.
   */
  isStopping = false;
  readonly clientAddress: NonNullable<TransportOptions['clientAddress']>;
  readonly requestMs: number;
  readonly onSlow: (limit: SlowLimit) => void;
  readonly #maxBodyBytes: number;
  readonly #room: BodyRoom;

  constructor(options: TransportOptions, handler: RequestHandler) {
    const { maxBodyBytes, maxBodiesBytes = 8 * maxBodyBytes, clientAddress = (peer: string) => peer } = options;
    this.clientAddress = clientAddress;
    this.handler = handler;
    this.requestMs = options.httpRequestMs ?? DEFAULT_HTTP_REQUEST_MS;
    this.onSlow = options.onSlow ?? (() => {});
    this.#maxBodyBytes = maxBodyBytes;
    this.#room = new BodyRoom(maxBodiesBytes);
  }

  /** @param contentLength the text of the header; `''` if the request has none */
  isTooLarge(contentLength: string): boolean {
    return Number(contentLength) > this.#maxBodyBytes;
  }

  newBody(): IncomingBody {
    return new IncomingBody(this.#maxBodyBytes, this.#room);
  }
}
