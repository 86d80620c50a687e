import type { HttpRequest as NativeRequest, HttpResponse as NativeResponse } from 'uWebSockets.js';
import type { IncomingBody } from './http-body.js';
import type { HttpContext } from './http-context.js';
import { hasBody, statusLine } from './http-headers.js';
import type { BodyHandler, HttpAnswer, HttpRequest, HttpResponse } from './transport.js';
import { addressText } from './uws-socket.js';

/**
 * What clients are told about idle connections. uWebSockets.js closes one that was idle for 8 to 12 s, so a client is
 * told the shortest of these, less a second for the way of its request.
 */
const KEEP_ALIVE = 'timeout=7';

/**
 * Answers one HTTP request. uWebSockets.js lends the request for this call only; the response must not be touched after
 * an abort or the end. It closes a connection whose client pipelines a second request while the first one is being
 * answered asynchronously. What arrives of a body after the answer is dropped by uWebSockets.js, without a call to us.
 */
export function serveUws(response: NativeResponse, request: NativeRequest, context: HttpContext): void {
  const exchange = new Exchange(response, request, context);
  const answer = context.handler(exchange);
  exchange.returned();
  if (typeof answer !== 'function') exchange.answer(answer);
  else if (context.isTooLarge(request.getHeader('content-length'))) exchange.answer(answer('too_large'));
  else exchange.collect(context.newBody(), answer);
}

/**
 * All lines of a header that is a list, joined to one (RFC 9110 section 5.3). `getHeader` returns the first line alone,
 * which may be made up by the client, with what a proxy knows in a line of its own below.
 */
export function listHeader(request: NativeRequest, name: string): string {
  if (request.getHeader(name) === '') return '';
  const lines: string[] = [];
  request.forEach((key, value) => void (key === name && lines.push(value)));
  return lines.join(', ');
}

/** One request and its response. */
class Exchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** The native request, which is lent to us until the handler has returned. */
  #request: NativeRequest | undefined;
  readonly #isHead: boolean;
  /** The native response; `undefined` once the request is aborted or answered. */
  #response: NativeResponse | undefined;
  #remoteAddress: string | undefined;
  /** Whether a listener for aborts is set: uWebSockets.js insists on one before a handler returns without an answer. */
  #watched = false;
  #body: IncomingBody | undefined;
  #isReading = false;
  /** Ends the request if its body does not come whole in time. A body that comes at once costs no timer. */
  #deadline: NodeJS.Timeout | undefined;
  /**
   * Whether all of the request has come. A connection that is closed before that is reset, and its answer may be lost.
   */
  #isWhole: boolean;
  readonly #context: HttpContext;

  constructor(response: NativeResponse, request: NativeRequest, context: HttpContext) {
    context.open++;
    this.#context = context;
    const method = request.getCaseSensitiveMethod();
    this.#isHead = method === 'HEAD';
    this.method = this.#isHead ? 'GET' : method;
    this.#isWhole = this.method === 'GET';
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    this.#request = request;
    this.#response = response;
  }

  header(name: string): string {
    return this.#request?.getHeader(name) ?? '';
  }

  /** To be called when the handler has returned: from then on the native request must not be touched. */
  returned(): void {
    this.#request = undefined;
  }

  /**
   * The address of the client. The socket is asked at first use, since few requests need it; `''` if the socket is gone
   * by then.
   */
  get remoteAddress(): string {
    if (this.#remoteAddress === undefined && this.#response !== undefined) {
      const peer = addressText(this.#response.getRemoteAddressAsText());
      const forwardedFor = this.#request ? listHeader(this.#request, 'x-forwarded-for') : '';
      this.#remoteAddress = this.#context.clientAddress(peer, forwardedFor);
    }
    return this.#remoteAddress ?? '';
  }

  /** Reads the body, then answers. It never answers if the upload is aborted. */
  collect(body: IncomingBody, handler: BodyHandler): void {
    this.#body = body;
    this.#isReading = true;
    this.#watch();
    this.#response?.onData((lent, isLast) => {
      if (!this.#isReading) return;
      const problem = body.add(new Uint8Array(lent), isLast);
      if (!problem && !isLast) {
        this.#deadline ??= setTimeout(() => this.#giveUp(), this.#context.requestMs).unref();
        return;
      }
      clearTimeout(this.#deadline);
      this.#isReading = false;
      this.#isWhole = isLast;
      this.answer(handler(problem ?? body.bytes));
    });
  }

  #giveUp(): void {
    this.#context.onSlow('httpRequestMs');
    this.#response?.close();
  }

  answer(answer: HttpAnswer): void {
    if (!(answer instanceof Promise)) {
      this.#write(answer);
      return;
    }
    if (!this.#watched) this.#watch();
    void answer.then((late) => {
      if (this.#response) this.#response.cork(() => this.#write(late));
      else this.#end();
    });
  }

  #watch(): void {
    this.#watched = true;
    this.#response?.onAborted(() => {
      this.#response = undefined;
      clearTimeout(this.#deadline);
      if (!this.#isReading) return;
      this.#isReading = false;
      this.#end();
    });
  }

  #write(answer: HttpResponse): void {
    const response = this.#response;
    this.#response = undefined;
    if (response) this.#send(response, answer);
    this.#end();
  }

  #send(response: NativeResponse, { status, headers, body }: HttpResponse): void {
    // 200 is what uWebSockets.js writes by itself.
    if (status !== 200) response.writeStatus(statusLine(status));
    for (const [name, value] of headers) response.writeHeader(name, value);
    const isLast = this.#context.isStopping && this.#isWhole;
    if (!isLast) response.writeHeader('Keep-Alive', KEEP_ALIVE);
    if (hasBody(status) && !this.#isHead) {
      response.end(body, isLast);
      return;
    }
    // Any argument of `endWithoutBody` keeps the response from ever ending (3.0.6): the peer is told to close.
    if (isLast) response.writeHeader('Connection', 'close');
    if (this.#isHead && hasBody(status)) response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
    response.endWithoutBody();
  }

  /** Ends the exchange: it was answered, or the peer and the handler gave it up. */
  #end(): void {
    this.#context.open--;
    this.#body?.release();
  }
}
