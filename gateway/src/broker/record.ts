import type { Payload, RawMessage, Tags } from '@fanfare/protocol';

/**
 * Where a log entry stands. `epoch` is an integer below 2^53 (decimal digits on the wire); order of
 * positions is by epoch, then offset, the order of Redis stream IDs. On live channels both are 0.
 */
export interface LogPosition {
  readonly epoch: number;
  readonly offset: number;
}

/**
 * Something that goes with a message. A gateway that does not know its kind passes it over and treats the
 * message as if it were not there. docs/REDIS.md ("Versions") lists the kinds.
 */
export interface Extension {
  /** 1 to 255; a number is never used again for something else. */
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** What a publisher gives. */
export interface NewMessage {
  readonly payload: Payload;
  readonly user?: string | undefined;
  /** Idempotency key, 1-128 bytes. */
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
  /** At most 65,535 bytes in all, with three for each. */
  readonly extensions?: readonly Extension[] | undefined;
}

/** One message as the log holds it and as it is pushed; immutable. */
export interface LogRecord extends RawMessage, LogPosition {
  readonly offset: number;
  readonly extensions?: readonly Extension[] | undefined;
  /** Bytes it occupies in a buffer or tail, about. */
  readonly size: number;
}
