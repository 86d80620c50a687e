import type { Position } from '@fanfare/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import type { Cancel, Clock } from './clock.js';
import { Emitter } from './emitter.js';
import { FanfareClientError, handlerFailed } from './errors.js';
import type { Message } from './message.js';
import type { Subscription } from './subscription-types.js';

/** A state as it was at a position of the channel's log. */
export interface Snapshot<State> {
  /** The state, from which `apply` goes on. */
  readonly state: State;
  /** The position of the last message that the state has in it, or `head` of a history reply. */
  readonly position: Position;
}

/** How a state is fetched, and how it follows its channel. */
export interface StateOptions<State, M> {
  /**
   * Fetches a snapshot. It is called at the start and after each `reset`. What it throws is told as `load_failed`, and it
   * is called again with growing pauses. A `FanfareClientError` that is not retryable is final.
   * @param signal It is aborted when the snapshot is no longer wanted.
   */
  readonly load: (signal: AbortSignal) => Snapshot<State> | PromiseLike<Snapshot<State>>;
  /**
   * Returns the state after a message. It is not called for messages that the snapshot has in it. It must not change
   * `state` in place. What it throws ends the state as `failed`, with `handler_failed`.
   */
  readonly apply: (state: State, message: M) => State;
}

/**
 * Whether a state can be trusted.
 * - `loading`: It was never live so far. The state may be there already.
 * - `live`: It follows the channel.
 * - `stale`: It is as it was, because there is no connection, or because a new snapshot is being loaded.
 * - `failed`: It stays as it is until `reload()`, or until `connect()` where the connection failed. `error` says why.
 */
export type StateStatus = 'loading' | 'live' | 'stale' | 'failed';

/** A state, whether it can be trusted, and why not. It is the same object until something changes. */
export interface StateView<State> {
  /** The state. It is undefined before the first snapshot. */
  readonly state: State | undefined;
  /** Whether it can be trusted: the list is {@link StateStatus}. */
  readonly status: StateStatus;
  /** Why it has `failed`. It is undefined otherwise. */
  readonly error: FanfareClientError | undefined;
}

/**
 * A state that was loaded as a snapshot, and has every message after it applied once and in order. Where continuity
 * breaks (`reset`) the snapshot is loaded again by itself, so that the state is never one that missed something.
 */
export interface ChannelState<State> {
  /** The state. It is undefined before the first snapshot. */
  readonly current: State | undefined;
  /** Whether it can be trusted: the list is {@link StateStatus}. */
  readonly status: StateStatus;
  /** Why it has `failed`. It is undefined otherwise. */
  readonly error: FanfareClientError | undefined;
  /** The three of them as one object, which is the same until one of them changes. */
  readonly view: StateView<State>;
  /** Adds a listener, and returns a function that removes it. */
  on(name: 'change', listener: (view: StateView<State>) => unknown): () => void;
  /** Loads a new snapshot now. After a failure or `close()` it begins anew. */
  reload(): void;
  /** Ends it. The state stays as it is. */
  close(): void;
}

/** What a state needs of its channel and client. */
export interface StateHost {
  readonly channel: string;
  readonly clock: Clock;
  readonly backoff: BackoffOptions;
  subscribe(handler: (message: Message) => void, since: Position): Subscription;
  /**
   * Calls back when there is no connection (any more), with the reason if there will be none. Returns a function that
   * ends that.
   */
  onOutage(listener: (error: FanfareClientError | undefined) => void): Cancel;
  onError(error: FanfareClientError): void;
}

/** How long a state has to be live to prove that its snapshots are good, ms. Then the next one is loaded at once. */
const STABLE_MS = 10_000;

export class FollowedState<State> implements ChannelState<State> {
  view: StateView<State> = { state: undefined, status: 'loading', error: undefined };
  readonly #host: StateHost;
  readonly #options: StateOptions<State, Message>;
  readonly #events: Emitter<{ change: StateView<State> }>;
  readonly #backoff: Backoff;
  /** Ends what is under way: the loading of a snapshot, or following the channel after it. */
  #run: AbortController | undefined;
  #liveSince: number | undefined;
  #cancelOutage: Cancel;

  constructor(host: StateHost, options: StateOptions<State, Message>) {
    this.#host = host;
    this.#options = options;
    this.#events = new Emitter((cause) => host.onError(handlerFailed(cause, host.channel)));
    this.#backoff = new Backoff(host.backoff, host.clock);
    this.#cancelOutage = this.#watchOutages();
    this.#load();
  }

  get current(): State | undefined {
    return this.view.state;
  }

  get status(): StateStatus {
    return this.view.status;
  }

  get error(): FanfareClientError | undefined {
    return this.view.error;
  }

  on(_name: 'change', listener: (view: StateView<State>) => unknown): () => void {
    return this.#events.on('change', listener);
  }

  reload(): void {
    this.#backoff.reset();
    this.#cancelOutage();
    this.#load();
    this.#cancelOutage = this.#watchOutages();
  }

  close(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#cancelOutage();
  }

  #watchOutages(): Cancel {
    return this.#host.onOutage((error) => {
      if (error?.code === 'closed') this.#fail(error);
      // The subscription goes on by itself if the application connects again.
      else if (error) this.#set({ status: 'failed', error });
      else this.#lose();
    });
  }

  /** Begins a new run. The one before is over. */
  #begin(delayMs: number, step: (signal: AbortSignal) => void): void {
    this.#run?.abort();
    const run = new AbortController();
    this.#run = run;
    if (delayMs === 0) step(run.signal);
    else
      run.signal.addEventListener(
        'abort',
        this.#host.clock.after(delayMs, () => step(run.signal)),
      );
  }

  #load(delayMs = 0): void {
    this.#lose();
    this.#begin(delayMs, async (signal) => {
      try {
        const { state, position } = await this.#options.load(signal);
        if (signal.aborted) return;
        this.#set({ state });
        this.#follow(position, signal);
      } catch (cause) {
        if (!signal.aborted) this.#onLoadFailed(cause);
      }
    });
  }

  #onLoadFailed(cause: unknown): void {
    const { channel } = this.#host;
    const retryable = !(cause instanceof FanfareClientError) || cause.retryable;
    const error = new FanfareClientError('load_failed', `no snapshot of ${channel}: ${cause}`, {
      cause,
      channel,
      retryable,
    });
    this.#host.onError(error);
    if (retryable) this.#load(this.#backoff.next());
    else this.#fail(error);
  }

  #follow(position: Position, signal: AbortSignal): void {
    const subscription = this.#host.subscribe((message) => this.#apply(message), position);
    signal.addEventListener('abort', () => subscription.unsubscribe());
    subscription.on('subscribed', ({ durable }) => {
      if (durable) {
        this.#liveSince = this.#host.clock.now();
        this.#set({ status: 'live', error: undefined });
      } else {
        const reason = `${this.#host.channel} is live: it has no log that a state could follow`;
        this.#fail(new FanfareClientError('wrong_kind', reason, { channel: this.#host.channel }));
      }
    });
    subscription.on('lagged', () => this.#lose());
    subscription.on('reset', () => this.#onReset());
    subscription.on('error', (error) => this.#fail(error));
  }

  #apply(message: Message): void {
    try {
      this.#set({ state: this.#options.apply(this.view.state as State, message) });
    } catch (cause) {
      // A state without this message would be one that missed something.
      this.#fail(handlerFailed(cause, this.#host.channel));
    }
  }

  /** Loads a new snapshot. Snapshots that are too old each time must not be loaded in a loop, so there are pauses. */
  #onReset(): void {
    const { clock } = this.#host;
    if (this.#liveSince !== undefined && clock.now() - this.#liveSince >= STABLE_MS) this.#backoff.reset();
    const again = this.#backoff.attempts > 0;
    const delayMs = this.#backoff.next();
    this.#load(again ? delayMs : 0);
  }

  #lose(): void {
    if (this.view.status === 'loading') return;
    this.#set({ status: this.view.state === undefined ? 'loading' : 'stale', error: undefined });
  }

  #fail(error: FanfareClientError): void {
    this.close();
    this.#set({ status: 'failed', error });
  }

  #set(change: Partial<StateView<State>>): void {
    const before = this.view;
    this.view = { ...before, ...change };
    const { state, status, error } = this.view;
    if (state === before.state && status === before.status && error === before.error) this.view = before;
    else this.#events.emit('change', this.view);
  }
}
