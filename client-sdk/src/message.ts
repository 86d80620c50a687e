import type { HistoryMessage, MessageFrame, Position, ResetReason, Tags } from '@fanfare/protocol';
import type { AnySpec, OutOf, TagsOf } from './channels/spec.js';
import type { Issue } from './channels/standard-schema.js';

/** A message of a live channel, which has no position. */
export interface LiveMessage<T = unknown, OwnTags = Tags> {
  /** The channel it was published on. */
  readonly channel: string;
  /** What was published, or what the schema of the channel made of that, if it has one. */
  readonly data: T;
  /** When the gateway stored or sent it, ms since the Unix epoch. */
  readonly time: number;
  /** The user who published it, or on whose behalf a backend did. It is absent where nobody is known. */
  readonly user?: string | undefined;
  /** The key it was published with, by which a page knows its own messages. */
  readonly key?: string | undefined;
  /** Labels that it was published with. */
  readonly tags?: OwnTags | undefined;
}

/**
 * A message of a durable channel. It is itself a position, which `subscribe({ since })` and `history({ after })` take.
 */
export interface DurableMessage<T = unknown, OwnTags = Tags> extends LiveMessage<T, OwnTags>, Position {}

/** A message of a channel of which nothing is declared. It has a position if the channel is durable. */
export interface Message<T = unknown> extends LiveMessage<T> {
  /** The epoch of its position in the log, absent on a live channel. */
  readonly epoch?: string | undefined;
  /** The number of the message in the log, from 1 on. It is absent on a live channel. */
  readonly offset?: number | undefined;
}

/** The messages that a channel of this declaration gives. */
export type MessageOf<Spec extends AnySpec> = Spec extends { readonly kind: 'live' }
  ? LiveMessage<OutOf<Spec>, OwnTags<Spec>>
  : DurableMessage<OutOf<Spec>, OwnTags<Spec>>;

/** The tags that are declared, or any where none are. */
export type OwnTags<Spec> = [keyof TagsOf<Spec>] extends [never] ? Tags : Partial<TagsOf<Spec>>;

/** A message whose data is not what the channel's schema allows. The subscription has gone on after it. */
export interface InvalidEvent {
  /** The message as it came, with its data as it is on the wire. */
  readonly message: Message;
  /** What the schema found wrong with its data. */
  readonly issues: readonly Issue[];
}

/** The gateway has the channel on this connection, for the first time or again. */
export interface SubscribedEvent {
  /** Whether the channel has a log. */
  readonly durable: boolean;
  /** Where the subscription stands now. It is there on durable channels only. */
  readonly position?: Position | undefined;
  /** Whether it was on the channel before. On a live channel that means that messages may have been missed. */
  readonly again: boolean;
}

/** The subscription goes on from where it stood; nothing was missed. */
export interface RecoveredEvent {
  /** Where it stood, and from where it goes on. */
  readonly position: Position;
}

/**
 * Continuity is broken, and the subscription stands at `position` now. Whatever was built from messages has to be loaded
 * again.
 */
export interface ResetEvent {
  /**
   * Why continuity is broken. `expired` says that the log no longer goes back that far, `unrecoverable` that the log is
   * gone or another one, and `diverged` that the log lost messages that had been seen.
   */
  readonly reason: ResetReason;
  /** Where the subscription stands now. The next message is the one after it. */
  readonly position: Position;
  /** Where it stood before. */
  readonly previous: Position;
}

/** Reading was too slow, here or at the gateway. */
export interface LaggedEvent {
  /**
   * Whether messages were missed. It is true on live channels, where they are gone, and false on durable ones, where the
   * rest comes from the log.
   */
  readonly missed: boolean;
}

export function messageOf(frame: MessageFrame, epoch?: string): Message {
  const { channel, data, time, offset, user, key, tags } = frame;
  return { channel, data, time, epoch, offset, user, key, tags };
}

export function messageOfHistory(channel: string, item: HistoryMessage): DurableMessage {
  const { data, time, epoch, offset, user, key, tags } = item;
  return { channel, data, time, epoch, offset, user, key, tags };
}
