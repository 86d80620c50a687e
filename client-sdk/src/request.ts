/** One request of the SDK: what it is, how it ends, and what is known of it if it was never answered. */
import type { ServerFrame, Wire } from '@fanfare/protocol';
import type { Backoff } from './backoff.js';
import type { Cancel } from './clock.js';
import { FanfareClientError } from './errors.js';

/** What a caller says of a request, besides its frame. */
export interface RequestPlan {
  /**
   * How long the request may take from the call on, ms. A request that was sent by then goes on until the gateway was
   * silent for this long, because its answer is on its way.
   */
  readonly timeoutMs: number;
  /** Whether the request changes nothing, so that it can always be sent again. */
  readonly readOnly: boolean;
  /** Whether the frame names in `except` the session by which it is sent. Default false. */
  readonly exceptSelf?: boolean | undefined;
  /** Called when the link died under an open request that changes something. Returns whether it may be sent again. */
  readonly repeatable?: () => boolean;
}

export type ReplyType = 'published' | 'history' | 'presence' | 'refreshed';
export type Reply<Type extends ReplyType> = Extract<ServerFrame, { type: Type }>;

/** A request that is not answered yet. */
export interface Request extends RequestPlan {
  readonly id: number;
  readonly replyType: ReplyType;
  readonly wire: Wire;
  readonly resolve: (reply: Reply<ReplyType>) => void;
  readonly reject: (error: FanfareClientError) => void;
  readonly backoff: Backoff;
  /** Ends the deadline. */
  cancel: Cancel;
  /** Whether its time is over, so that it waits only for the answer to what was sent. */
  overdue: boolean;
  /** When it was sent, ms since the Unix epoch, while it is open. */
  sentAt: number | undefined;
  /** When it was first sent without ever being answered, ms since the Unix epoch. */
  ambiguousSince: number | undefined;
}

/** Returns whether the request may have been done without our knowing. */
export function isAmbiguous({ readOnly, sentAt, ambiguousSince }: Request): boolean {
  return !readOnly && (sentAt !== undefined || ambiguousSince !== undefined);
}

export function outcomeUnknown(detail: string, cause?: unknown, channel?: string): FanfareClientError {
  return new FanfareClientError('outcome_unknown', `it may or may not have been done: ${detail}`, { cause, channel });
}
