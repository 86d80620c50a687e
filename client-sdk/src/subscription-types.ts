import type { Position } from '@fanfare/protocol';
import type { FanfareClientError } from './errors.js';
import type { InvalidEvent, LaggedEvent, Message, RecoveredEvent, ResetEvent, SubscribedEvent } from './message.js';
import type { Presence } from './presence.js';

/**
 * What a subscription is.
 * - `subscribing`: It is not on the channel now, and will be as soon as the gateway allows.
 * - `subscribed`: The gateway hands over what is published.
 * - `paused`: The `for await` loop is slow and its queue is full. It goes on by itself, from where it stopped.
 * - `failed`: The gateway refused for good, and `error` said why.
 * - `unsubscribed`: It was ended by `unsubscribe()`, by leaving a `for await` loop, or by `client.close()`.
 */
export type SubscriptionState = 'subscribing' | 'subscribed' | 'paused' | 'failed' | 'unsubscribed';

/** What a subscription to a live channel tells. */
export interface LiveEvents<M> {
  /** A message has come. On a durable channel each comes once and in order. */
  message: M;
  /** The gateway has the channel on this connection, for the first time or again. */
  subscribed: SubscribedEvent;
  /** The subscription was taken off its channel for a while, because it was read too slowly. */
  lagged: LaggedEvent;
  /**
   * A message has come with data that the schema does not allow, and the subscription goes on after it. Without a
   * listener it goes to `error` of the client, as `invalid_data`.
   */
  invalid: InvalidEvent;
  /** The subscription has failed and ends. Without a listener it goes to `error` of the client. */
  error: FanfareClientError;
}
/** What a subscription to a durable channel tells. */
export interface DurableEvents<M> extends LiveEvents<M> {
  /** It went on from its position after a lost connection, and nothing was missed. */
  recovered: RecoveredEvent;
  /** Continuity is broken, so what was built from messages has to be loaded again. */
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
  /** What it is now. Its events tell each change. */
  readonly state: SubscriptionState;
  /**
   * Where it stands: at the last message that was handed out, or queued for a loop. To resume later from what a loop has
   * done, keep the message itself, which is a position. It is undefined before the first `subscribed`, and on live
   * channels.
   */
  readonly position: Position | undefined;
  /** Who is on the channel. It is undefined unless the options of the subscription say `presence: true`. */
  readonly presence: Who;
  /** Adds a listener, and returns a function that removes it. What a listener throws goes to `error` of the client. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void;
  /**
   * Returns everything that happens, in order, so that a loop sees where continuity broke. A failure is thrown. It takes
   * the place of the messages alone, because a subscription is read in one of the two ways.
   * @throws {FanfareClientError} `bad_request` once it is read in the other.
   */
  events(): AsyncIterable<Told<Omit<Events, 'error'>>>;
  /**
   * Resolves once it is `subscribed`, and at once if it is.
   * @throws {FanfareClientError} as a rejection, when it or the connection fails or ends before that, and at once while
   * the client is `closed` or `failed`.
   */
  ready(): Promise<void>;
  /**
   * Keeps this position under the name of the subscription (`resumeAs`). With `commit: 'manual'` nothing else does.
   * @throws {FanfareClientError} `bad_request` if it has no name, or that is no position.
   */
  commit(position: Position | Message): void;
  /** Ends it for good and at once: nothing is handed out afterwards. */
  unsubscribe(): void;
}

/** A subscription to a channel of which nothing is declared. */
export interface Subscription<T = unknown, Who = Presence | undefined>
  extends Reading<Message<T>, SubscriptionEvents<T>, Who> {}
