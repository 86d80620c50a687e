import type { HistoryMessage, MessageFrame, Position, ResetReason, Tags } from '@fanfare/protocol';
import type { AnySpec, OutOf, TagsOf } from './channels/spec.js';
import type { Issue } from './channels/standard-schema.js';

/** A message of a live channel: it has no position, and nothing pretends. */
export interface LiveMessage<T = unknown, OwnTags = Tags> {
  /** The channel it was published on. */
  readonly channel: string;
  /** What was published; where the channel has a schema, what that made of it. */
  readonly data: T;
  /** When the gateway stored or sent it, ms since the Unix epoch. */
  readonly time: number;
  /** The user who published it, or on whose behalf a backend did; absent where nobody is known. */
  readonly user?: string | undefined;
  /** The key it was published with, by which a page knows its own messages. */
  readonly key?: string | undefined;
  /** Labels that it was published with. */
  readonly tags?: OwnTags | undefined;
}

/** A message of a durable channel is itself a position: hand it to `subscribe({ since })` or `history({ after })`. */
export interface DurableMessage<T = unknown, OwnTags = Tags> extends LiveMessage<T, OwnTags>, Position {}

/** A message of a channel of which nothing is declared: with a position if it is durable. */
export interface Message<T = unknown> extends LiveMessage<T> {
  /** With `offset` the position of the message in the log; absent on a live channel. */
  readonly epoch?: string | undefined;
  /** Counts the messages of the log from 1 on; absent on a live channel. */
  readonly offset?: number | undefined;
}

/** What a channel of this declaration gives. */
export type MessageOf<Spec extends AnySpec> = Spec extends { readonly kind: 'live' }
  ? LiveMessage<OutOf<Spec>, OwnTags<Spec>>
  : DurableMessage<OutOf<Spec>, OwnTags<Spec>>;

/** The tags that are declared; any where none are. */
export type OwnTags<Spec> = [keyof TagsOf<Spec>] extends [never] ? Tags : Partial<TagsOf<Spec>>;

/** A message whose data is not what the channel's schema allows. The subscription has gone on after it. */
export interface InvalidEvent {
  /** As it came. */
  readonly message: Message;
  /** What the schema found. */
  readonly issues: readonly Issue[];
}

/** The gateway has the channel on this connection, for the first time or again. */
export interface SubscribedEvent {
  /** Whether the channel has a log. */
  readonly durable: boolean;
  /** Where the subscription stands now; durable channels only. */
  readonly position?: Position | undefined;
  /** False the first time. On a live channel `true` means that messages may have been missed. */
  readonly again: boolean;
}

/** The subscription goes on from where it stood; nothing was missed. */
export interface RecoveredEvent {
  /** Where it stood, and goes on from. */
  readonly position: Position;
}

/** Continuity is broken: the subscription stands at `position` now. Reload whatever was built from messages. */
export interface ResetEvent {
  /**
   * `expired`: the log no longer goes back that far. `unrecoverable`: the log is gone, or another one. `diverged`: the
   * log lost messages that had been seen.
   */
  readonly reason: ResetReason;
  /** Where the subscription stands now; the next message is the one after it. */
  readonly position: Position;
  /** Where it stood before. */
  readonly previous: Position;
}

/** Reading was too slow, here or at the gateway. */
export interface LaggedEvent {
  /** True on live channels, where messages are gone; false on durable ones, where the rest comes from the log. */
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
