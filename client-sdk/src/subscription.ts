import type { Position, ResetReason } from '@fanfare/protocol';
import type { FirstStart, Flow, Reader } from './audience.js';
import type { Declaration } from './channels/declared.js';
import { Emitter, type OnThrow } from './emitter.js';
import { badRequest, FanfareClientError } from './errors.js';
import { Inbox } from './inbox.js';
import type { InvalidEvent, LaggedEvent, Message, SubscribedEvent } from './message.js';
import type { Presence } from './presence.js';
import type { Subscription, SubscriptionEvents, SubscriptionState, Told } from './subscription-types.js';
import { Waiters } from './waiters.js';

/** What a subscription asks of the feed of its channel. */
interface SubscriptionFeed {
  pause(reader: Reader): void;
  resume(reader: Reader): void;
  leave(reader: Reader): void;
}

interface LocalSubscriptionOptions {
  readonly channel: string;
  readonly handler: ((message: Message) => unknown) | undefined;
  /** The position at which the application says it stands. */
  readonly since: Position | undefined;
  readonly maxQueue: number;
  readonly declared: Declaration | undefined;
  readonly presence: Presence | undefined;
  readonly onThrow: OnThrow;
  /** Takes an error that nobody here listens to. */
  readonly onError: (error: FanfareClientError) => void;
  /** Called when the subscription has ended. */
  readonly onEnd: (subscription: LocalSubscription) => void;
}

export class LocalSubscription implements Subscription, Reader {
  readonly channel: string;
  readonly presence: Presence | undefined;
  flow: Flow = 'flowing';
  position: Position | undefined;
  start: FirstStart | undefined;
  readonly #options: LocalSubscriptionOptions;
  readonly #events: Emitter<SubscriptionEvents>;
  #feed: SubscriptionFeed | undefined;
  #state: SubscriptionState = 'subscribing';
  #durable = false;
  #again = false;
  /** Set if it was on the channel before `subscribe()` had returned, when nobody can have listened. */
  #untold: SubscribedEvent | undefined;
  /** Set while a loop reads, or until a listener does. */
  #inbox: Inbox<Message | Note> | undefined;
  /** How a loop reads the inbox. While that is undecided, the inbox keeps what both ways may want. */
  #loop: 'messages' | 'events' | undefined;
  /** Whether listeners were told of the messages dropped since there was last room. */
  #told = false;
  #failure: FanfareClientError | undefined;
  /** Why there will be no connection. */
  #outage: FanfareClientError | undefined;
  readonly #waiters = new Waiters();

  constructor(options: LocalSubscriptionOptions) {
    this.#options = options;
    this.channel = options.channel;
    this.presence = options.presence;
    this.position = options.since;
    this.#events = new Emitter(options.onThrow);
    if (options.handler) this.#events.on('message', options.handler);
    else this.#inbox = this.#createInbox();
  }

  get state(): SubscriptionState {
    return this.flow === 'paused' && !this.#over ? 'paused' : this.#state;
  }

  /** Gives the subscription the feed that it has joined. */
  attach(feed: SubscriptionFeed): void {
    this.#feed = feed;
  }

  on<Name extends keyof SubscriptionEvents>(
    name: Name,
    listener: (event: SubscriptionEvents[Name]) => unknown,
  ): () => void {
    const off = this.#events.on(name, listener);
    if (name === 'message' && !this.#loop) this.#emptyInbox();
    return off;
  }

  ready(): Promise<void> {
    if (this.#over) return Promise.reject(this.#failure ?? endedError(this.channel));
    if (this.#state === 'subscribed') return Promise.resolve();
    if (this.#outage) return Promise.reject(this.#outage);
    return this.#waiters.wait();
  }

  commit(): void {
    throw badRequest('a position is kept under a name: resumeAs', { channel: this.channel });
  }

  unsubscribe(): void {
    if (this.#over) return;
    this.#end('unsubscribed');
    this.#feed?.leave(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return this.#iterate('messages') as Inbox<Message>;
  }

  events(): AsyncIterable<Told<Omit<SubscriptionEvents, 'error'>>> {
    const notes = this.#iterate('events') as Inbox<Note>;
    return { [Symbol.asyncIterator]: () => notes };
  }

  /** There will be no connection, unless the application connects again. */
  onNoConnection(error: FanfareClientError): void {
    this.#outage = error;
    this.#inbox?.fail(error);
    this.#waiters.settle(error);
  }

  /** The application connects again. */
  onConnecting(): void {
    this.#outage = undefined;
    this.#inbox?.recover();
  }

  get isSubscribed(): boolean {
    return this.#state === 'subscribed';
  }

  onSubscribed(durable: boolean): void {
    this.#state = 'subscribed';
    this.#durable = durable;
    const again = this.#again;
    this.#again = true;
    this.#waiters.settle();
    const mismatch = again ? undefined : this.#options.declared?.findMismatch(durable);
    if (mismatch) this.#options.onError(mismatch);
    this.#untold = { durable, position: this.position, again };
    if (this.#feed) this.#tellSubscribed();
    else queueMicrotask(() => this.#tellSubscribed());
  }

  onRecovered(): void {
    this.#tell('recovered', { position: this.position as Position });
  }

  onMessage(message: Message): void {
    this.#tellSubscribed();
    if (this.#over) return;
    const result = this.#options.declared?.parse?.(message.data);
    if (result?.issues) this.#tellInvalid({ message, issues: result.issues }, result.error);
    else this.#handOut(result ? { ...message, data: result.value } : message);
  }

  onReset(reason: ResetReason, previous: Position): void {
    this.#tell('reset', { reason, position: this.position as Position, previous });
  }

  onLagged(missed: boolean): void {
    this.#state = 'subscribing';
    this.#tell('lagged', { missed });
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
    if (event && !this.#over) this.#tell('subscribed', event);
  }

  #handOut(message: Message): void {
    const inbox = this.#inbox;
    if (inbox) {
      if (!this.#durable && inbox.full) this.#dropOldest(inbox);
      inbox.push(this.#loop === 'events' ? { type: 'message', event: message } : message);
      if (this.#durable && inbox.full) this.#feed?.pause(this);
    }
    this.#events.emit('message', message);
  }

  #tellInvalid(event: InvalidEvent, error: FanfareClientError): void {
    if (this.#events.has('invalid') || this.#loop === 'events') this.#tell('invalid', event);
    else this.#options.onError(error);
  }

  #tell<Name extends Exclude<keyof SubscriptionEvents, 'message'>>(name: Name, event: SubscriptionEvents[Name]): void {
    if (this.#loop !== 'messages') this.#inbox?.push({ type: name, event } as Note);
    this.#events.emit(name, event);
  }

  /** Returns the inbox for a loop. What is in it already is put as this loop wants it. */
  #iterate(loop: 'messages' | 'events'): Inbox<Message | Note> {
    if (this.#loop !== undefined && this.#loop !== loop) {
      throw badRequest(`the subscription is read as ${this.#loop} already`);
    }
    this.#inbox ??= this.#createInbox();
    if (this.#loop === undefined) {
      this.#loop = loop;
      this.#inbox.rewrite((item) => {
        if (loop === 'messages') return isNote(item) ? [] : [item];
        return [isNote(item) ? item : { type: 'message', event: item }];
      });
    }
    if (this.#outage) this.#inbox.fail(this.#outage);
    if (this.#over) this.#inbox.end();
    return this.#inbox;
  }

  get #over(): boolean {
    return this.#state === 'failed' || this.#state === 'unsubscribed';
  }

  #end(state: 'failed' | 'unsubscribed'): void {
    this.#state = state;
    this.#inbox?.end(this.#failure);
    this.#waiters.settle(this.#failure ?? endedError(this.channel));
    this.#options.onEnd(this);
  }

  #createInbox(): Inbox<Message | Note> {
    return new Inbox<Message | Note>(this.#options.maxQueue, isMessage, {
      onRoom: () => this.#onRoom(),
      onReturn: () => this.unsubscribe(),
    });
  }

  #onRoom(): void {
    this.#told = false;
    if (this.flow === 'paused' && !this.#over) this.#feed?.resume(this);
  }

  /** Hands the messages that wait to listeners. One is there now, so messages no longer wait for a loop. */
  #emptyInbox(): void {
    const inbox = this.#inbox;
    if (inbox === undefined) return;
    this.#inbox = undefined;
    for (let item = inbox.shift(); item !== undefined; item = inbox.shift()) {
      if (!isNote(item)) this.#events.emit('message', item);
    }
    this.#onRoom();
  }

  /**
   * Drops the oldest message. A loop over events finds `lagged` where messages are missing; listeners are told once
   * until there is room again.
   */
  #dropOldest(inbox: Inbox<Message | Note>): void {
    const event: LaggedEvent = { missed: true };
    if (this.#loop === 'messages') inbox.drop();
    else inbox.drop({ type: 'lagged', event }, isLagged);
    if (this.#told) return;
    this.#told = true;
    this.#events.emit('lagged', event);
  }
}

/** What is told besides messages, and messages if a loop reads all events. */
type Note = Told<Omit<SubscriptionEvents, 'error'>>;

function isNote(item: Message | Note): item is Note {
  return 'event' in item;
}

function isLagged(item: Message | Note): boolean {
  return isNote(item) && item.type === 'lagged';
}

function isMessage(item: Message | Note): boolean {
  return !isNote(item) || item.type === 'message';
}

function endedError(channel: string): FanfareClientError {
  return new FanfareClientError('closed', 'the subscription has ended', { channel });
}
