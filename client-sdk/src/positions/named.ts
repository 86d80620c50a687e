import type { Position } from '@fanfare/protocol';
import type { Clock } from '../clock.js';
import type { FanfareClientError } from '../errors.js';
import type { Message } from '../message.js';
import type { Reading, Subscription, SubscriptionEvents } from '../subscription-types.js';

/**
 * The key under which a keeper of positions holds the function that serves a client. Applications have no use for it.
 */
export const KEEP: unique symbol = Symbol.for('fanfare.keepPositions');

/**
 * When the position of a named subscription is kept.
 * - `handled`, the default: It is kept once the handler has returned or its promise is fulfilled, or once the loop has asked
 *   for the next message. A message whose handling was cut short comes again.
 * - `received`: It is kept before the handler is called. A message whose handling was cut short does not come again.
 * - `manual`: It is kept when the application calls `commit(position)`, and by nothing else.
 */
export type Commit = 'handled' | 'received' | 'manual';

/**
 * What keeps positions for a client. `sessionPositions`, `localPositions` and `customPositions` of
 * `@fanfare/client/positions` return one.
 */
export interface Positions {
  /** The client calls this, and applications do not. */
  readonly [KEEP]: (host: PositionsHost) => NamedPositions;
}

export interface PositionsHost {
  readonly url: string;
  readonly clock: Clock;
  readonly onError: (error: FanfareClientError) => void;
}

/** A subscription that is to be kept under a name, before it is on its channel. */
export interface NamedStart {
  readonly name: string;
  readonly commit: Commit | undefined;
  readonly handler: ((message: Message) => unknown) | undefined;
  readonly reader: Reading<Message, SubscriptionEvents>;
  /** Puts the subscription on its channel, from this position, or as the application asked for. */
  readonly join: (from: Position | undefined) => void;
  /** Ends the subscription, because it cannot be had. */
  readonly fail: (error: FanfareClientError) => void;
}

/** The named subscriptions of one client. */
export interface NamedPositions {
  open(start: NamedStart): Subscription;
  onConnected(user: string | undefined): void;
  /** Called when a reader has ended. */
  onEnd(reader: object): void;
}
