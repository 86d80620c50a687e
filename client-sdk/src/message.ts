import type { HistoryMessage, MessageFrame, Position, ResetReason, Tags } from '@fanfare/protocol';
import type { AnySpec, OutOf, TagsOf } from './channels/spec.js';
import type { Issue } from './channels/standard-schema.js';

/** A message of a live channel: it has no position, and nothing pretends. */
export interface LiveMessage<T = unknown, OwnTags = Tags> {
  readonly channel: string;
  readonly data: T;
  /** When the gateway stored or sent it, ms since the Unix epoch. */
  readonly time: number;
  /** Who published it, where known. */
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly tags?: OwnTags | undefined;
}

/** A message of a durable channel is itself a position: hand it to `subscribe({ since })` or `history({ after })`. */
export interface DurableMessage<T = unknown, OwnTags = Tags> extends LiveMessage<T, OwnTags>, Position {}

/** A message of a channel of which nothing is declared: with a position if it is durable. */
export interface Message<T = unknown> extends LiveMessage<T> {
  readonly epoch?: string | undefined;
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
  readonly issues: readonly Issue[];
}

/** The gateway has the channel on this connection, for the first time or again. */
export interface SubscribedEvent {
  readonly durable: boolean;
  /** Where the subscription stands now; durable channels only. */
  readonly position?: Position | undefined;
  /** False the first time. On a live channel `true` means that messages may have been missed. */
  readonly again: boolean;
}

/** The subscription goes on from where it stood; nothing was missed. */
export interface RecoveredEvent {
  readonly position: Position;
}

/** Continuity is broken: the subscription stands at `position` now. Reload whatever was built from messages. */
export interface ResetEvent {
  readonly reason: ResetReason;
  readonly position: Position;
  /** Where it stood before. */
  readonly previous: Position;
}

/** Reading was too slow. `missed` is true on live channels, where messages are gone. */
export interface LaggedEvent {
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
