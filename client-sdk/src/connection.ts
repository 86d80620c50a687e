import {
  type ConnectedFrame,
  type ConnectFrame,
  type ServerFrame,
  shouldReconnect,
  type Wire,
} from '@fanfare/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import type { Cancel } from './clock.js';
import { errorOfClose, errorOfFrame, FanfareClientError } from './errors.js';
import { Link, type LinkEnd, type LinkOptions } from './link.js';

/**
 * What a connection is.
 * - `idle`: `connect()` was not called yet.
 * - `connecting`: A link is being made.
 * - `connected`: The gateway has accepted the link.
 * - `waiting`: The link is gone, and the next is made after a delay.
 * - `failed`: The gateway refused for good, and only `connect()` tries again.
 * - `closed`: It was ended by `close()`.
 */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'failed' | 'closed';

/** A change of the connection, as `client.on('state', …)` tells it. */
export interface StateChange {
  /** What the connection is now. */
  readonly state: ConnectionState;
  /** What it was before. */
  readonly previous: ConnectionState;
  /**
   * The close code with which the link ended, 1006 if it was without a close frame. It is there when the state is
   * `waiting` or `failed`, unless no link was made.
   */
  readonly code?: number;
  /** The text that came with `code`. */
  readonly reason?: string;
  /** The next attempt begins in so many ms. It is there when the state is `waiting`. */
  readonly retryInMs?: number;
  /** Why the state is `failed`, or what went wrong before it was `waiting`, where that was an error. */
  readonly error?: FanfareClientError;
}

/** A JWT, or a function that fetches one and is called for every connection. */
export type Token = string | (() => string | Promise<string>);

interface ConnectionOptions extends LinkOptions {
  readonly token: Token | undefined;
  /** Name and version told to the gateway. */
  readonly name: string;
  readonly backoff: BackoffOptions;
  /** A connection that lasted this long makes the next delay a first one again, ms. */
  readonly stableMs: number;
}

/** The owner of the connection. In each call it may already send, close or connect again. */
interface ConnectionOwner {
  /** A link is open and has greeted. What is sent now waits in the gateway until the link is accepted. */
  onGreeting(): void;
  onConnected(frame: ConnectedFrame): void;
  onFrame(frame: ServerFrame): void;
  /** The link is gone. Whatever is unanswered stays so. */
  onDown(): void;
  onState(change: StateChange): void;
  onError(error: FanfareClientError): void;
}

/** After 4429 the delay is as long as after this many failures, because the gateway is full, not gone. */
const TOO_MANY_ATTEMPTS = 4;
/**
 * How many tokens in a row may have expired before they were used. After that, what fetches them does not renew them.
 */
const MAX_EXPIRED_TOKENS = 5;
/** The longest wait that a gateway can ask for, ms. */
const MAX_RETRY_AFTER_MS = 300_000;

/** Keeps a link up: it decides when to make one, and when to give up. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner;
  readonly #backoff: Backoff;
  #state: ConnectionState = 'idle';
  #link: Link | undefined;
  #connectedAt = 0;
  /** How many tokens have expired since the last connection. */
  #expiredTokens = 0;
  /** Ends what is under way: the wait for a token or for the next attempt. */
  #cancel: Cancel | undefined;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#backoff = new Backoff(options.backoff, options.clock);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Makes a connection now, unless there is one or one is being made. */
  connect(): void {
    const { state } = this;
    if (state === 'connected' || state === 'connecting') return;
    if (state !== 'waiting') {
      this.#backoff.reset();
      this.#expiredTokens = 0;
    }
    this.#cancel?.();
    this.#setState({ state: 'connecting' });
    // A listener may have closed the connection.
    if (this.state === 'connecting') this.#fetchToken((token) => this.#open(token));
  }

  /**
   * Something happened to the network: a connection that waits is tried now, and one that is there has to show that it
   * is alive.
   */
  check(): void {
    if (this.#state === 'waiting') this.connect();
    else this.#link?.probe();
  }

  /** There is no network: a connection is lost, and tries to come back. */
  lose(): void {
    this.#link?.lose();
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#cancel?.();
    const link = this.#link;
    this.#link = undefined;
    link?.close(1000, '');
    this.#owner.onDown();
    this.#setState({ state: 'closed' });
  }

  send(wire: Wire): void {
    this.#link?.send(wire);
  }

  #fetchToken(use: (token: string | undefined) => void): void {
    const { token, clock, connectTimeoutMs } = this.#options;
    if (typeof token !== 'function') {
      use(token);
      return;
    }
    let waiting = true;
    const settle = (act: () => void) => {
      if (!waiting) return;
      this.#cancel?.();
      act();
    };
    const fail = (cause: unknown) =>
      settle(() => {
        const final = cause instanceof FanfareClientError && !cause.retryable;
        const error = new FanfareClientError('token_failed', `no token: ${cause}`, { cause, retryable: !final });
        if (final) this.#fail(error);
        else this.#wait(this.#backoff.next(), { error });
      });
    const cancelTimer = clock.after(connectTimeoutMs, () => fail(`none within ${connectTimeoutMs} ms`));
    this.#cancel = () => {
      waiting = false;
      cancelTimer();
    };
    try {
      const fetched = token();
      if (typeof fetched === 'string') settle(() => use(fetched));
      else fetched.then((value) => settle(() => use(value)), fail);
    } catch (error) {
      fail(error);
    }
  }

  #open(token: string | undefined): void {
    const { name, nextId } = this.#options;
    const hello: ConnectFrame = { type: 'connect', id: nextId(), ...(token !== undefined && { token }), client: name };
    this.#link = new Link(this.#options, hello, {
      ...this.#owner,
      onConnected: (frame) => {
        this.#connectedAt = this.#options.clock.now();
        this.#expiredTokens = 0;
        this.#owner.onConnected(frame);
        this.#setState({ state: 'connected' });
      },
      onEnd: (end) => this.#onEnd(end),
    });
    this.#link.open();
  }

  #onEnd({ code, reason, refusal, error, fatal }: LinkEnd): void {
    const wasConnected = this.#state === 'connected';
    const stable = wasConnected && this.#options.clock.now() - this.#connectedAt >= this.#options.stableMs;
    if (stable) this.#backoff.reset();
    this.#link = undefined;
    this.#owner.onDown();
    if (fatal) {
      this.#fail(fatal);
      return;
    }
    if (refusal?.code === 'token_expired' && this.#mayRenew()) {
      const expired = new FanfareClientError('token_expired', refusal.message, { retryable: true });
      this.#wait(this.#backoff.next(), { code, reason, error: expired });
      return;
    }
    // A refusal is a reason to stop by itself only if no close code followed it.
    const refused = refusal && !refusal.retryable && (code === 1006 || !shouldReconnect(code));
    // A token that ran out is not a refusal if another one can be fetched.
    const ranOut = stable || (wasConnected && reason === 'token_expired');
    const renewable = code === 4401 && ranOut && typeof this.#options.token === 'function';
    if (refused || !(shouldReconnect(code) || renewable)) {
      this.#fail(refusal ? errorOfFrame(refusal) : errorOfClose(code, reason), { code, reason });
      return;
    }
    this.#wait(this.#delayAfter(code, reason, refusal?.retryAfter), { code, reason, ...(error && { error }) });
  }

  /**
   * Returns whether another token may be fetched. The function that fetches tokens may have kept one for too long, and
   * the next can be a new one.
   */
  #mayRenew(): boolean {
    return typeof this.#options.token === 'function' && ++this.#expiredTokens < MAX_EXPIRED_TOKENS;
  }

  #delayAfter(code: number, reason: string, retryAfterMs: number | undefined): number {
    const asked = code === 4000 ? (retryAfterOf(reason) ?? retryAfterMs) : retryAfterMs;
    if (asked !== undefined) return Math.min(asked, MAX_RETRY_AFTER_MS);
    return this.#backoff.next(code === 4429 ? TOO_MANY_ATTEMPTS : 0);
  }

  #wait(retryInMs: number, detail: Partial<StateChange>): void {
    this.#cancel = this.#options.clock.after(retryInMs, () => this.connect());
    this.#setState({ ...detail, state: 'waiting', retryInMs });
    if (detail.error) this.#owner.onError(detail.error);
  }

  #fail(error: FanfareClientError, detail: Partial<StateChange> = {}): void {
    this.#setState({ ...detail, state: 'failed', error });
    this.#owner.onError(error);
  }

  #setState(change: Omit<StateChange, 'previous'>): void {
    const previous = this.#state;
    this.#state = change.state;
    this.#owner.onState({ ...change, previous });
  }
}

/** Returns the `retryAfter` in the close reason of a drain, ms. */
function retryAfterOf(reason: string): number | undefined {
  try {
    const { retryAfter } = JSON.parse(reason) as { retryAfter?: unknown };
    return typeof retryAfter === 'number' && retryAfter >= 0 ? retryAfter : undefined;
  } catch {
    return undefined;
  }
}
