import type { Position } from '@fanfare/protocol';
import type { FanfareClientError } from './errors.js';
import type { InvalidEvent, LaggedEvent, Message, RecoveredEvent, ResetEvent, SubscribedEvent } from './message.js';
import type { Presence } from './presence.js';

/**
 * - `subscribing`: not on the channel now; it will be as soon as the gateway allows.
 * - `subscribed`: the gateway hands over what is published.
 * - `paused`: the `for await` loop is slow and its queue full; goes on by itself, from where it stopped.
 * - `failed`: the gateway refused for good; `error` said why.
 * - `unsubscribed`: by `unsubscribe()`, by leaving a `for await` loop, or by `client.close()`.
 */
export type SubscriptionState = 'subscribing' | 'subscribed' | 'paused' | 'failed' | 'unsubscribed';

/** What a subscription to a live channel tells. */
export interface LiveEvents<M> {
  /** A message, each once. */
  message: M;
  /** The gateway has the channel on this connection, for the first time or again. */
  subscribed: SubscribedEvent;
  /** Reading was too slow. */
  lagged: LaggedEvent;
  /**
   * Data that the schema does not allow; the subscription goes on after it. Without a listener it goes to the client's
   * `error`, as `invalid_data`.
   */
  invalid: InvalidEvent;
  /** The subscription has failed and ends. Without a listener it goes to the client's `error`. */
  error: FanfareClientError;
}
/** What a subscription to a durable channel tells. */
export interface DurableEvents<M> extends LiveEvents<M> {
  /** It went on from its position after a lost connection; nothing was missed. */
  recovered: RecoveredEvent;
  /** Continuity is broken: what was built from messages has to be loaded again. */
  reset: ResetEvent;
}
/** What a subscription tells of which nothing is declared: everything that may happen. */
export type SubscriptionEvents<T = unknown> = DurableEvents<Message<T>>;

/** One of the events, by its name, as {@link Reading.events} gives them. */
export type Told<Events> = {
  [Name in keyof Events]: {
    /** The name of the event. */
    readonly type: Name;
    /** What a listener of that name is given. */
    readonly event: Events[Name];
  };
}[keyof Events];

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
export interface Reading<M, Events, Who = Presence | undefined> extends AsyncIterable<M> {
  /** The name of its channel. */
  readonly channel: string;
  /** What it is now; its events tell each change. */
  readonly state: SubscriptionState;
  /**
   * Where it stands: the last message that was handed out, or queued for a loop. To resume later from
   * what a loop has done, keep the message itself: it is a position. Undefined before the first
   * `subscribed` and on live channels.
   */
  readonly position: Position | undefined;
  /** Who is on the channel; undefined unless the options of the subscription say `presence: true`. */
  readonly presence: Who;
  /** Adds a listener and returns what removes it. What a listener throws goes to the client's `error`. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void;
  /**
   * Everything in the order in which it happened, so that a loop sees where continuity broke; a failure is thrown.
   * In place of the messages alone: a subscription is read in one of the two ways.
   * @throws {FanfareClientError} `bad_request` once it is read in the other.
   */
  events(): AsyncIterable<Told<Omit<Events, 'error'>>>;
  /**
   * Resolves once it is `subscribed`, at once if it is.
   * @throws {FanfareClientError} as a rejection, when it or the connection fails or ends before that; at
   * once while the client is `closed` or `failed`.
   */
  ready(): Promise<void>;
  /**
   * Keeps this position under the name of the subscription (`resumeAs`); with `commit: 'manual'` nothing else does.
   * @throws {FanfareClientError} `bad_request` if it has no name, or that is no position.
   */
  commit(position: Position | Message): void;
  /** Ends it, for good and at once: nothing is handed out afterwards. */
  unsubscribe(): void;
}

/** A subscription to a channel of which nothing is declared. */
export interface Subscription<T = unknown, Who = Presence | undefined>
  extends Reading<Message<T>, SubscriptionEvents<T>, Who> {}
