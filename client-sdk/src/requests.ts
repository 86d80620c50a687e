import type { ConnectedFrame, Dialect, ErrorFrame, Frame, PublishFrame, ServerFrame, Wire } from '@fanfare/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import type { Cancel, Clock } from './clock.js';
import { badRequest, errorOfFrame, FanfareClientError } from './errors.js';
import type { Pulse } from './pulse.js';
import { isAmbiguous, outcomeUnknown, type Reply, type ReplyType, type Request, type RequestPlan } from './request.js';
import { SendWindow } from './send-window.js';
import { isLonger } from './wire-size.js';

interface RequestsOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly pulse: Pulse;
  readonly nextId: () => number;
  readonly send: (wire: Wire) => void;
  readonly backoff: BackoffOptions;
  /** How many requests may wait or be open at once. More are refused with `limit_exceeded`. */
  readonly maxPending: number;
}

/** How many requests may be open at once. */
const WINDOW = 256;

/**
 * Requests that are answered once: publishes and history. They wait for a connection, go out in call order, and come
 * back after a refusal that may pass, until their deadline. A request that was sent and not answered when the link died
 * is sent again only if that cannot do a thing twice. Otherwise it ends as `outcome_unknown`.
 */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #window: SendWindow;
  /** The requests that were not sent on this connection yet, ordered by id. */
  readonly #queue: Request[] = [];
  readonly #open = new Map<number, Request>();
  /** The requests that were refused and wait for another try. */
  readonly #resting = new Map<Request, Cancel>();
  #connected: ConnectedFrame | undefined;
  /** The user who was connected last. */
  #user: { readonly name: string | undefined } | undefined;
  #maxFrame = Number.POSITIVE_INFINITY;
  /** How long the last connected gateway knows a key, ms. */
  #idempotencyMs = 0;
  /** Why there will be no connection, until {@link begin} is called. */
  #ended: FanfareClientError | undefined;
  /** Why there is no connection now. */
  #failure: FanfareClientError | undefined;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.clock, WINDOW, () => this.#pump());
  }

  /**
   * Encodes the frame now, so that later changes of its data do not matter, and sends it when it can.
   * @throws {FanfareClientError} as a rejection: `bad_request`, `too_large`, `limit_exceeded`,
   * `timeout`, `outcome_unknown`, `closed`, why the connection failed, or what the gateway answered.
   */
  call<Type extends ReplyType>(replyType: Type, build: (id: number) => Frame, plan: RequestPlan): Promise<Reply<Type>> {
    return new Promise<Reply<Type>>((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      const { clock, backoff, maxPending } = this.#options;
      const id = this.#options.nextId();
      const wire = this.#encode(build(id));
      if (this.#queue.length + this.#open.size + this.#resting.size >= maxPending) {
        throw new FanfareClientError('limit_exceeded', `${maxPending} requests are waiting`, { retryable: true });
      }
      const request: Request = {
        ...plan,
        id,
        replyType,
        wire,
        resolve: resolve as Request['resolve'],
        reject,
        backoff: new Backoff(backoff, clock),
        cancel: () => {},
        overdue: false,
        sentAt: undefined,
        ambiguousSince: undefined,
      };
      this.#watch(request, plan.timeoutMs);
      this.#queue.push(request);
      this.#pump();
    });
  }

  /** Whether a request is open. */
  get unanswered(): boolean {
    return this.#open.size > 0;
  }

  onConnected(frame: ConnectedFrame): void {
    if (this.#user && this.#user.name !== frame.user) this.#dropWrites();
    this.#user = { name: frame.user };
    this.#connected = frame;
    this.#idempotencyMs = frame.idempotencyMs;
    this.#failure = undefined;
    this.#maxFrame = frame.maxFrame;
    this.#pump();
  }

  /** Notes why there is no connection. */
  onFailure(error: FanfareClientError): void {
    this.#failure = error;
  }

  /** Takes a frame if it is the reply to a request of ours. Returns whether it is. */
  onReply(frame: ServerFrame): boolean {
    const request = 'id' in frame && frame.id !== undefined ? this.#open.get(frame.id) : undefined;
    if (request === undefined) return false;
    this.#open.delete(request.id);
    request.sentAt = undefined;
    this.#window.release(frame.type !== 'error');
    if (frame.type === request.replyType) {
      request.cancel();
      request.resolve(frame as Reply<ReplyType>);
    } else if (frame.type !== 'error')
      this.#reject(request, new FanfareClientError('malformed_frame', `answered by ${frame.type}`));
    else if (frame.retryable) this.#retry(request, frame);
    else this.#reject(request, this.#refusal(request, frame));
    this.#pump();
    return true;
  }

  /** Sends nothing more for this long, ms, because the gateway asks for less. */
  holdFor(delayMs?: number): void {
    this.#window.holdFor(delayMs);
  }

  onDown(): void {
    this.#connected = undefined;
    this.#window.reset();
    const unanswered = [...this.#open.values()];
    this.#open.clear();
    for (const request of unanswered) {
      if (request.overdue && this.#windowLeftMs(request) <= 0) {
        this.#expire(request);
      } else if (request.readOnly || request.repeatable?.()) {
        request.ambiguousSince ??= request.sentAt;
        request.sentAt = undefined;
        this.#enqueue(request);
      } else {
        this.#reject(request, outcomeUnknown('the connection was lost before the answer'));
      }
    }
    for (const request of [...this.#resting.keys()]) this.#wake(request);
  }

  /**
   * No connection will be made: ends every request, and those to come. Requests that may have been stored end as
   * `outcome_unknown`, the others with `error`.
   */
  end(error: FanfareClientError): void {
    this.#ended = error;
    this.onDown();
    for (const request of this.#queue.splice(0)) this.#drop(request, error);
  }

  /** A connection is being made after all. */
  begin(): void {
    this.#ended = undefined;
  }

  /** Drops what the previous user wanted to change and did not get done. It is not done in the name of this user. */
  #dropWrites(): void {
    const error = new FanfareClientError('user_changed', 'another user is connected now than when it was asked for');
    const waiting = this.#queue.splice(0);
    for (const request of waiting) {
      if (request.readOnly) this.#queue.push(request);
      else this.#drop(request, error);
    }
  }

  #drop(request: Request, error: FanfareClientError): void {
    this.#reject(request, isAmbiguous(request) ? outcomeUnknown(error.message, error) : error);
  }

  #encode(frame: Frame): Wire {
    let wire: Wire;
    try {
      wire = this.#options.dialect.encode(frame);
    } catch (cause) {
      throw badRequest(`data cannot be encoded: ${(cause as Error).message}`, { cause });
    }
    this.#checkSize(wire);
    return wire;
  }

  #checkSize(wire: Wire): void {
    if (isLonger(wire, this.#maxFrame)) {
      throw new FanfareClientError('too_large', `the frame is larger than ${this.#maxFrame} bytes`);
    }
  }

  #pump(): void {
    while (this.#connected !== undefined && this.#queue.length > 0 && this.#window.take()) {
      this.#sendNext(this.#queue.shift() as Request, this.#connected);
    }
  }

  #sendNext(request: Request, { idempotencyMs, session }: ConnectedFrame): void {
    const { clock, dialect } = this.#options;
    const now = clock.now();
    let { wire } = request;
    try {
      // The session is another one with each connection, while the data stays as it was.
      if (request.exceptSelf)
        wire = dialect.encode({ ...(dialect.decode(wire) as unknown as PublishFrame), except: session });
      this.#checkSize(wire);
      // After this time the gateway no longer knows the key.
      if (!request.readOnly && now - (request.ambiguousSince ?? now) >= idempotencyMs) {
        throw outcomeUnknown('the idempotency window has passed');
      }
    } catch (error) {
      this.#window.release(false);
      this.#reject(request, error as FanfareClientError);
      return;
    }
    request.sentAt = now;
    this.#open.set(request.id, request);
    this.#options.send(wire);
  }

  /** Tries a request again. It was refused and so not done, which makes another try safe. */
  #retry(request: Request, refusal: ErrorFrame): void {
    if (refusal.code === 'rate_limited') this.#window.holdFor(refusal.retryAfter);
    if (request.overdue && this.#windowLeftMs(request) <= 0) {
      this.#expire(request);
      return;
    }
    if (refusal.code === 'rate_limited') {
      this.#enqueue(request);
      return;
    }
    const delayMs = Math.max(refusal.retryAfter ?? 0, request.backoff.next());
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#wake(request);
      this.#pump();
    });
    this.#resting.set(request, cancel);
  }

  /**
   * Returns the error of a refusal. What an earlier, unanswered sending did is not known from the refusal of a later
   * one.
   */
  #refusal(request: Request, frame: ErrorFrame): FanfareClientError {
    const refusal = errorOfFrame(frame);
    return isAmbiguous(request) ? outcomeUnknown(`sent twice, then refused: ${frame.message}`, refusal) : refusal;
  }

  #wake(request: Request): void {
    this.#resting.get(request)?.();
    this.#resting.delete(request);
    this.#enqueue(request);
  }

  /** Puts a request back to its place, because the queue is in call order. */
  #enqueue(request: Request): void {
    const index = this.#queue.findIndex((other) => other.id > request.id);
    this.#queue.splice(index < 0 ? this.#queue.length : index, 0, request);
  }

  #watch(request: Request, delayMs: number): void {
    const { clock, pulse } = this.#options;
    request.cancel = clock.after(delayMs, () => {
      const answerMs = this.#open.has(request.id) ? pulse.leftMs(request.timeoutMs) : 0;
      const restMs = Math.max(answerMs, this.#windowLeftMs(request));
      request.overdue = restMs > 0;
      if (request.overdue) this.#watch(request, restMs);
      else this.#expire(request);
    });
  }

  /**
   * Returns how long a request that may have been done can still be repeated, and its outcome so be known, ms: as long
   * as the gateway remembers its key. An `outcome_unknown` before that helps nobody.
   */
  #windowLeftMs(request: Request): number {
    const since = request.ambiguousSince ?? request.sentAt;
    if (since === undefined || !request.repeatable?.() || this.#ended) return 0;
    return since + this.#idempotencyMs - this.#options.clock.now();
  }

  #expire(request: Request): void {
    this.#resting.get(request)?.();
    this.#resting.delete(request);
    if (this.#open.delete(request.id)) this.#window.release(false);
    const index = this.#queue.indexOf(request);
    if (index >= 0) this.#queue.splice(index, 1);
    const cause = this.#failure;
    const why = this.#connected ? '' : `: ${cause?.message ?? 'no connection so far: was connect() called?'}`;
    const error = isAmbiguous(request)
      ? outcomeUnknown(`no answer within ${request.timeoutMs} ms`, cause)
      : new FanfareClientError('timeout', `not done within ${request.timeoutMs} ms${why}`, { retryable: true, cause });
    this.#reject(request, error);
    this.#pump();
  }

  #reject(request: Request, error: FanfareClientError): void {
    request.cancel();
    request.reject(error);
  }
}
