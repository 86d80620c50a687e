/** One request of the SDK: what it is, how it ends, and what is known of it if it was never answered. */
import type { ServerFrame, Wire } from '@fanfare/protocol';
import type { Backoff } from './backoff.js';
import type { Cancel } from './clock.js';
import { FanfareClientError } from './errors.js';

/** What a caller says of a request besides its frame. */
export interface RequestPlan {
  /**
   * Ends the request from the call on, ms. One that was sent by then goes on until the gateway was
   * silent for this long: its answer is on its way.
   */
  readonly timeoutMs: number;
  /** Whether the request changes nothing, so that it can always be sent again. */
  readonly readOnly: boolean;
  /** The frame names the session by which it is sent, in `except`. Default false. */
  readonly exceptSelf?: boolean | undefined;
  /** Asked when the link died under an open request that changes something: may it be sent again? */
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
  /** Its time is over, and it waits only for the answer to what was sent. */
  overdue: boolean;
  /** While it is open: since when, ms since the Unix epoch. */
  sentAt: number | undefined;
  /** When it was first sent without ever being answered. */
  ambiguousSince: number | undefined;
}

/** Whether the request may have been done without our knowing. */
export function isAmbiguous({ readOnly, sentAt, ambiguousSince }: Request): boolean {
  return !readOnly && (sentAt !== undefined || ambiguousSince !== undefined);
}

export function outcomeUnknown(detail: string, cause?: unknown, channel?: string): FanfareClientError {
  return new FanfareClientError('outcome_unknown', `it may or may not have been done: ${detail}`, { cause, channel });
}
