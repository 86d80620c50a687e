import type { Durability, Payload, RawMessage, Tags } from '@fanfare/protocol';

/**
 * Where a log entry stands. `epoch` is an integer below 2^53 (decimal digits on the wire); order of
 * positions is by epoch, then offset, the order of Redis stream IDs. On live channels both are 0.
 */
export interface LogPosition {
  readonly epoch: number;
  readonly offset: number;
}

/** What a publisher gives. */
export interface NewMessage {
  readonly payload: Payload;
  readonly user?: string | undefined;
  /** Idempotency key, 1-128 bytes. */
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
}

/** One message as the log holds it and as it is pushed; immutable. */
export interface LogRecord extends RawMessage, LogPosition {
  readonly offset: number;
  /** Bytes it occupies in a buffer or tail, about. */
  readonly size: number;
}

export type { Durability };
