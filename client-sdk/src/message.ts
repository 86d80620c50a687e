import type { HistoryMessage, MessageFrame, Position, ResetReason, Tags } from '@fanfare/protocol';

/**
 * One message. On durable channels it has `epoch` and `offset` and so is itself a position: hand it
 * to `subscribe({ since })` or `history({ after })`.
 */
export interface Message<T = unknown> {
  readonly channel: string;
  readonly data: T;
  /** When the gateway stored or sent it, ms since the Unix epoch. */
  readonly time: number;
  readonly epoch?: string | undefined;
  readonly offset?: number | undefined;
  /** Who published it, where known. */
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
}

/** A message of a durable channel. */
export type DurableMessage<T = unknown> = Message<T> & Position;

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
