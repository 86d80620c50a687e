import type { HttpRequest as NativeRequest, HttpResponse as NativeResponse } from 'uWebSockets.js';
import {
  DISCARDED_BODY_BYTES,
  hasBody,
  type KeptHeaders,
  keepHeaders,
  keptHeader,
  statusLine,
} from './http-headers.js';
import type { HttpRequest, HttpResponse } from './transport.js';
import { addressText } from './uws-socket.js';

export type RequestHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

const NO_BODY = Buffer.alloc(0);

/**
 * Answers one HTTP request. uWebSockets.js lends the request for this call only; the response must not
 * be touched after an abort or the end. It closes a connection whose client pipelines a second
 * request while the first one is being answered asynchronously.
 */
export function serveUws(
  response: NativeResponse,
  request: NativeRequest,
  handler: RequestHandler,
  maxBodyBytes: number,
): void {
  const exchange = new Exchange(response, request);
  if (exchange.readsBody) exchange.collect(maxBodyBytes, handler);
  else exchange.answer(handler);
}

/** One request and its response. */
class Exchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly readsBody: boolean;
  body: Uint8Array | 'too_large' = NO_BODY;
  readonly #headers: KeptHeaders;
  readonly #isHead: boolean;
  /** `undefined` once aborted or answered. */
  #response: NativeResponse | undefined;
  #remoteAddress: string | undefined;
  /** Whether an abort is noticed: uWebSockets.js insists on it before a handler returns unanswered. */
  #watched = false;

  constructor(response: NativeResponse, request: NativeRequest) {
    const method = request.getCaseSensitiveMethod();
    this.#isHead = method === 'HEAD';
    this.method = this.#isHead ? 'GET' : method;
    this.readsBody = this.method !== 'GET';
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    this.#headers = keepHeaders((name) => request.getHeader(name));
    this.#response = response;
  }

  header(name: string): string {
    return keptHeader(this.#headers, name);
  }

  /** Asked of the socket at first use, since few requests need it; `''` if the socket is gone by then. */
  get remoteAddress(): string {
    if (this.#remoteAddress === undefined && this.#response !== undefined) {
      this.#remoteAddress = addressText(this.#response.getRemoteAddressAsText());
    }
    return this.#remoteAddress ?? '';
  }

  /** Reads the body, then answers; never if the upload is aborted. */
  collect(maxBodyBytes: number, handler: RequestHandler): void {
    let chunks: Buffer[] = [];
    let bytes = 0;
    this.#watch();
    this.#response?.onData((chunk, isLast) => {
      bytes += chunk.byteLength;
      if (this.#response === undefined || this.body === 'too_large') return;
      if (bytes > maxBodyBytes) {
        chunks = [];
        if (!isLast && bytes <= maxBodyBytes + DISCARDED_BODY_BYTES) return;
        this.body = 'too_large';
      } else {
        chunks.push(Buffer.from(new Uint8Array(chunk)));
        if (!isLast) return;
        this.body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      }
      this.answer(handler);
    });
  }

  answer(handler: RequestHandler): void {
    const answer = handler(this);
    if (!(answer instanceof Promise)) {
      this.#write(answer);
      return;
    }
    if (!this.#watched) this.#watch();
    void answer.then((late) => this.#response?.cork(() => this.#write(late)));
  }

  #watch(): void {
    this.#watched = true;
    this.#response?.onAborted(() => {
      this.#response = undefined;
    });
  }

  #write(answer: HttpResponse): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    response.writeStatus(statusLine(answer.status));
    for (const [name, value] of answer.headers) response.writeHeader(name, value);
    if (!hasBody(answer.status)) {
      response.endWithoutBody();
    } else if (this.#isHead) {
      // `endWithoutBody(n)` would write the length itself, and never end the response (3.0.6).
      response.writeHeader('Content-Length', String(Buffer.byteLength(answer.body))).endWithoutBody();
    } else {
      response.end(answer.body, this.body === 'too_large');
    }
  }
}
