import type { Position } from '@fanfare/protocol';
import { Backoff } from '../backoff.js';
import { positionOf } from '../channel.js';
import { invalidData } from '../channels/invalid-data.js';
import type { Clock } from '../clock.js';
import { badRequest, type FanfareClientError, handlerFailed } from '../errors.js';
import type { Message } from '../message.js';
import type { Presence } from '../presence.js';
import type { Reading, Subscription, SubscriptionEvents, SubscriptionState, Told } from '../subscription-types.js';
import type { Commit } from './named.js';

type Reader = Reading<Message, SubscriptionEvents>;
type Note = Told<Omit<SubscriptionEvents, 'error'>>;
export type MaybePosition = Pick<Message, 'epoch' | 'offset'>;
type Handler = (message: Message) => unknown;

interface NamedSubscriptionOptions {
  readonly reader: Reader;
  readonly commit: Commit;
  readonly clock: Clock;
  /** Keeps a position. On a live channel there is nothing to keep. */
  readonly keep: (position: MaybePosition) => void;
  readonly onError: (error: FanfareClientError) => void;
}

/**
 * The delays before a handler that failed is called again. They are not those of the connection, because no gateway has
 * to be spared.
 */
const RETRY = { baseMs: 500, maxMs: 20_000 };

/**
 * A subscription whose position is kept. It reads a plain one in order, and keeps the position of what has been dealt
 * with.
 */
export class NamedSubscription implements Subscription {
  readonly #options: NamedSubscriptionOptions;
  readonly #reader: Reader;
  readonly #handlers = new Set<Handler>();
  #loop: 'handlers' | 'messages' | 'events' | undefined;
  readonly #invalidListeners = new Set<object>();
  /** The position of the message that a loop was given last. It has been dealt with once the loop asks for more. */
  #given: MaybePosition | undefined;
  #onHandler: () => void = () => {};

  constructor(options: NamedSubscriptionOptions, handler: Handler | undefined) {
    this.#options = options;
    this.#reader = options.reader;
    if (handler) this.#addHandler(handler);
  }

  get channel(): string {
    return this.#reader.channel;
  }

  get state(): SubscriptionState {
    return this.#reader.state;
  }

  get position(): Position | undefined {
    return this.#reader.position;
  }

  get presence(): Presence | undefined {
    return this.#reader.presence;
  }

  on<Name extends keyof SubscriptionEvents>(
    name: Name,
    listener: (event: SubscriptionEvents[Name]) => unknown,
  ): () => void {
    if (name === 'message') return this.#addHandler(listener as Handler);
    const off = this.#reader.on(name, listener);
    if (name !== 'invalid') return off;
    this.#invalidListeners.add(off);
    return () => {
      this.#invalidListeners.delete(off);
      off();
    };
  }

  ready(): Promise<void> {
    return this.#reader.ready();
  }

  commit(position: Position | Message): void {
    this.#options.keep(positionOf(position));
  }

  unsubscribe(): void {
    this.#reader.unsubscribe();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    const notes = this.#iterate('messages');
    const next = async (): Promise<IteratorResult<Message, undefined>> => {
      for (;;) {
        const { done, value } = await notes.next();
        if (done) return { done, value };
        if (value.type === 'message') return { done: false, value: value.event };
      }
    };
    const end = async (): Promise<IteratorResult<Message, undefined>> => {
      await notes.return?.();
      return { done: true, value: undefined };
    };
    return { next, return: end };
  }

  events(): AsyncIterable<Note> {
    const notes = this.#iterate('events');
    return { [Symbol.asyncIterator]: () => notes };
  }

  #claim(loop: 'handlers' | 'messages' | 'events'): void {
    if (this.#loop !== undefined && (this.#loop !== loop || loop !== 'handlers')) {
      const reason = `a named subscription has one reader, and is read by ${this.#loop} already`;
      throw badRequest(reason, { channel: this.channel });
    }
    this.#loop = loop;
  }

  #addHandler(handler: Handler): () => void {
    const begins = this.#loop === undefined;
    this.#claim('handlers');
    const own: Handler = (message) => handler(message);
    this.#handlers.add(own);
    this.#onHandler();
    if (begins) void this.#runHandlers();
    return () => void this.#handlers.delete(own);
  }

  /** Calls the handlers with one message at a time. The next one waits until all handlers are done with it. */
  async #runHandlers(): Promise<void> {
    const { commit, keep } = this.#options;
    try {
      for await (const note of this.#reader.events()) {
        if (note.type !== 'message') {
          this.#pass(note);
          continue;
        }
        if (commit === 'received') {
          await this.#someHandler();
          keep(note.event);
          for (const handler of this.#handlers) void this.#call(handler, note.event);
        } else {
          await this.#deal(note.event);
          if (this.#over) return;
          if (commit === 'handled') keep(note.event);
        }
      }
    } catch {
      // `error` or the client reports the reason. If only the connection failed, this goes on with the next connection.
      if (this.#over) return;
      const off = this.#reader.on('subscribed', () => {
        off();
        void this.#runHandlers();
      });
    }
  }

  async #someHandler(): Promise<void> {
    while (this.#handlers.size === 0) await new Promise<void>((resolve) => (this.#onHandler = resolve));
  }

  /** Deals with a message. If there is no handler, the message waits for the next one. */
  async #deal(message: Message): Promise<void> {
    for (let isDealt = false; !isDealt && !this.#over; ) {
      await this.#someHandler();
      for (const handler of [...this.#handlers]) if (await this.#handle(handler, message)) isDealt = true;
    }
  }

  /**
   * Calls a handler until it succeeds: a message that its handler failed on is neither skipped nor overtaken. Returns
   * false once the handler was taken away.
   */
  async #handle(handler: Handler, message: Message): Promise<boolean> {
    const { clock, commit } = this.#options;
    const backoff = new Backoff(RETRY, clock);
    while (this.#handlers.has(handler) && !this.#over) {
      if ((await this.#call(handler, message)) || commit !== 'handled') return true;
      await new Promise<void>((resolve) => clock.after(backoff.next(), resolve));
    }
    return false;
  }

  async #call(handler: Handler, message: Message): Promise<boolean> {
    try {
      await handler(message);
      return true;
    } catch (cause) {
      this.#options.onError(handlerFailed(cause, this.channel));
      return false;
    }
  }

  #iterate(loop: 'messages' | 'events'): AsyncIterator<Note, undefined> {
    this.#claim(loop);
    const notes = this.#reader.events()[Symbol.asyncIterator]() as AsyncIterator<Note, undefined>;
    const { commit, keep } = this.#options;
    return {
      next: async () => {
        if (this.#given) keep(this.#given);
        this.#given = undefined;
        for (;;) {
          const result = await notes.next();
          if (result.done) return result;
          const { value } = result;
          if (value.type === 'message') {
            if (commit === 'received') keep(value.event);
            if (commit === 'handled') this.#given = value.event;
            return result;
          }
          this.#pass(value);
          if (loop === 'events') return result;
        }
      },
      return: async () => {
        await notes.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /**
   * Takes what stands between the messages. It is a place to go on from too, if nothing was skipped on the way there.
   */
  #pass(note: Exclude<Note, { type: 'message' }>): void {
    const { keep, onError, commit } = this.#options;
    if (note.type === 'invalid') {
      if (commit !== 'manual') keep(note.event.message);
      if (this.#invalidListeners.size === 0 && this.#loop !== 'events')
        onError(invalidData(this.channel, note.event.issues));
    } else if (note.type !== 'lagged' && note.event.position) {
      const isFirst = note.type === 'subscribed' && !note.event.again;
      if (isFirst || commit !== 'manual') keep(note.event.position);
    }
  }

  get #over(): boolean {
    return this.state === 'failed' || this.state === 'unsubscribed';
  }
}
