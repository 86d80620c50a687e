import type { Position, ResetReason } from '@fanfare/protocol';
import type { Flow, Member } from './audience.js';
import { Emitter, type OnThrow } from './emitter.js';
import { FanfareClientError } from './errors.js';
import { Inbox } from './inbox.js';
import type { LaggedEvent, Message, RecoveredEvent, ResetEvent, SubscribedEvent } from './message.js';

/**
 * - `subscribing`: not on the channel now; it will be as soon as the gateway allows.
 * - `subscribed`
 * - `paused`: the `for await` loop is slow and its queue full; goes on by itself, from where it stopped.
 * - `failed`: the gateway refused for good; `error` said why.
 * - `unsubscribed`: by `unsubscribe()`, by leaving a `for await` loop, or by `client.close()`.
 */
export type SubscriptionState = 'subscribing' | 'subscribed' | 'paused' | 'failed' | 'unsubscribed';

export interface SubscriptionEvents<T = unknown> {
  message: Message<T>;
  subscribed: SubscribedEvent;
  recovered: RecoveredEvent;
  reset: ResetEvent;
  lagged: LaggedEvent;
  /** The subscription has failed and ends. Without a listener it goes to the client's `error`. */
  error: FanfareClientError;
}

/**
 * One reader of a channel.
 *
 * On a durable channel it is given every message after its position, once and in order, whatever
 * happens to connections and gateways, or a `reset` tells that and where continuity broke. On a live
 * channel it is given what passes while it is connected.
 *
 * Read it by a handler, by `on('message')`, or by `for await`. A loop that falls behind by
 * `maxQueue` messages pauses the subscription: on a durable channel the rest waits in the log and is
 * fetched from there; on a live channel the oldest are dropped, which `lagged` tells. Messages that
 * come before anyone reads wait for the first reader. A second loop shares the messages of the first.
 */
export interface Subscription<T = unknown> extends AsyncIterable<Message<T>> {
  readonly channel: string;
  readonly state: SubscriptionState;
  /**
   * Where it stands: the last message that was handed out, or queued for a loop. To resume later from
   * what a loop has done, keep the message itself: it is a position. Undefined before the first
   * `subscribed` and on live channels.
   */
  readonly position: Position | undefined;
  /** Adds a listener and returns what removes it. What a listener throws goes to the client's `error`. */
  on<Name extends keyof SubscriptionEvents<T>>(
    name: Name,
    listener: (event: SubscriptionEvents<T>[Name]) => unknown,
  ): () => void;
  /**
   * Resolves once it is `subscribed`, at once if it is.
   * @throws {FanfareClientError} as a rejection, when it or the connection fails or ends before that; at
   * once while the client is `closed` or `failed`.
   */
  ready(): Promise<void>;
  /** Ends it, for good and at once: nothing is handed out afterwards. */
  unsubscribe(): void;
}

/** What a subscription asks of the feed of its channel. */
export interface SubscriptionFeed {
  pause(member: Member): void;
  resume(member: Member): void;
  leave(member: Member): void;
}

export interface LocalSubscriptionOptions {
  readonly channel: string;
  readonly handler: ((message: Message) => unknown) | undefined;
  /** Where the application says it stands. */
  readonly since: Position | undefined;
  readonly maxQueue: number;
  readonly onThrow: OnThrow;
  /** Takes an error that nobody here listens to. */
  readonly onError: (error: FanfareClientError) => void;
  /** It has ended. */
  readonly onEnd: (subscription: LocalSubscription) => void;
}

export class LocalSubscription implements Subscription, Member {
  readonly channel: string;
  flow: Flow = 'flowing';
  position: Position | undefined;
  readonly #options: LocalSubscriptionOptions;
  readonly #events: Emitter<SubscriptionEvents>;
  #feed: SubscriptionFeed | undefined;
  #state: SubscriptionState = 'subscribing';
  #durable = false;
  #again = false;
  /** It stood on the channel before `subscribe()` had returned, so nobody can have listened. */
  #untold: SubscribedEvent | undefined;
  /** There while a loop reads, or until somebody else does. */
  #inbox: Inbox<Message> | undefined;
  #looping = false;
  /** Told of the messages dropped since there was last room. */
  #told = false;
  #failure: FanfareClientError | undefined;
  /** Why there will be no connection. */
  #outage: FanfareClientError | undefined;
  #waiters: { resolve(): void; reject(error: FanfareClientError): void }[] = [];

  constructor(options: LocalSubscriptionOptions) {
    this.#options = options;
    this.channel = options.channel;
    this.position = options.since;
    this.#events = new Emitter(options.onThrow);
    if (options.handler) this.#events.on('message', options.handler);
    else this.#inbox = this.#createInbox();
  }

  get state(): SubscriptionState {
    return this.flow === 'paused' && !this.#over ? 'paused' : this.#state;
  }

  /** Hands it the feed that it has joined. */
  attach(feed: SubscriptionFeed): void {
    this.#feed = feed;
  }

  on<Name extends keyof SubscriptionEvents>(
    name: Name,
    listener: (event: SubscriptionEvents[Name]) => unknown,
  ): () => void {
    const off = this.#events.on(name, listener);
    if (name === 'message' && !this.#looping) this.#emptyInbox();
    return off;
  }

  ready(): Promise<void> {
    if (this.#over) return Promise.reject(this.#failure ?? endedError(this.channel));
    if (this.#state === 'subscribed') return Promise.resolve();
    if (this.#outage) return Promise.reject(this.#outage);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  unsubscribe(): void {
    if (this.#over) return;
    this.#end('unsubscribed');
    this.#feed?.leave(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    this.#inbox ??= this.#createInbox();
    if (this.#outage) this.#inbox.fail(this.#outage);
    this.#looping = true;
    if (this.#over) this.#inbox.end();
    return this.#inbox;
  }

  /** There will be no connection, unless the application connects again. */
  onNoConnection(error: FanfareClientError): void {
    this.#outage = error;
    this.#inbox?.fail(error);
    this.#settle(error);
  }

  /** It does. */
  onConnecting(): void {
    this.#outage = undefined;
    this.#inbox?.recover();
  }

  onSubscribed(durable: boolean): void {
    this.#state = 'subscribed';
    this.#durable = durable;
    const again = this.#again;
    this.#again = true;
    this.#settle();
    this.#untold = { durable, position: this.position, again };
    if (this.#feed) this.#tellSubscribed();
    else queueMicrotask(() => this.#tellSubscribed());
  }

  onRecovered(): void {
    this.#events.emit('recovered', { position: this.position as Position });
  }

  onMessage(message: Message): void {
    this.#tellSubscribed();
    if (this.#over) return;
    const inbox = this.#inbox;
    if (inbox) {
      if (!this.#durable && inbox.full) this.#dropOldest(inbox);
      inbox.push(message);
      if (this.#durable && inbox.full) this.#feed?.pause(this);
    }
    this.#events.emit('message', message);
  }

  onReset(reason: ResetReason, previous: Position): void {
    this.#events.emit('reset', { reason, position: this.position as Position, previous });
  }

  onLagged(missed: boolean): void {
    this.#state = 'subscribing';
    this.#events.emit('lagged', { missed });
  }

  onDown(): void {
    this.#state = 'subscribing';
    this.#untold = undefined;
  }

  onFailed(error: FanfareClientError): void {
    this.#failure = error;
    this.#end('failed');
    if (this.#events.has('error')) this.#events.emit('error', error);
    else this.#options.onError(error);
  }

  #tellSubscribed(): void {
    const event = this.#untold;
    this.#untold = undefined;
    if (event && !this.#over) this.#events.emit('subscribed', event);
  }

  get #over(): boolean {
    return this.#state === 'failed' || this.#state === 'unsubscribed';
  }

  #end(state: 'failed' | 'unsubscribed'): void {
    this.#state = state;
    this.#inbox?.end(this.#failure);
    this.#settle(this.#failure ?? endedError(this.channel));
    this.#options.onEnd(this);
  }

  #settle(error?: FanfareClientError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error) reject(error);
      else resolve();
    }
  }

  #createInbox(): Inbox<Message> {
    return new Inbox(this.#options.maxQueue, {
      onRoom: () => this.#onRoom(),
      onReturn: () => this.unsubscribe(),
    });
  }

  #onRoom(): void {
    this.#told = false;
    if (this.flow === 'paused' && !this.#over) this.#feed?.resume(this);
  }

  /** Somebody listens now, so messages no longer wait for a loop. */
  #emptyInbox(): void {
    const inbox = this.#inbox;
    if (inbox === undefined) return;
    this.#inbox = undefined;
    for (let message = inbox.shift(); message !== undefined; message = inbox.shift()) {
      this.#events.emit('message', message);
    }
    this.#onRoom();
  }

  #dropOldest(inbox: Inbox<Message>): void {
    inbox.shift();
    if (this.#told) return;
    this.#told = true;
    this.#events.emit('lagged', { missed: true });
  }
}

function endedError(channel: string): FanfareClientError {
  return new FanfareClientError('closed', 'the subscription has ended', { channel });
}
