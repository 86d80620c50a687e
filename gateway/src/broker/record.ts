import type { Payload, RawMessage, Tags } from '@fanfare/protocol';

/**
 * The place of an entry in a log. `epoch` is an integer below 2^53 (decimal digits on the wire). Positions are ordered
 * by epoch, then by offset, as Redis stream IDs are. On live channels both are 0.
 */
export interface LogPosition {
  readonly epoch: number;
  readonly offset: number;
}

/**
 * Further data that goes with a message. A gateway that does not know its kind passes it over, and treats the message
 * as if the extension were not there. docs/REDIS.md ("Versions") lists the kinds.
 */
export interface Extension {
  /** Says what the bytes are: 1 to 255. A number is never used again for something else. */
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A message as it is given to the broker. */
export interface NewMessage {
  readonly payload: Payload;
  readonly user?: string | undefined;
  /** Idempotency key, 1 to 128 bytes. */
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
  /** At most 65,535 bytes in all, where each extension counts three bytes more than its own. */
  readonly extensions?: readonly Extension[] | undefined;
}

/** One message as the log holds it and as it is pushed. It is immutable. */
export interface LogRecord extends RawMessage, LogPosition {
  readonly offset: number;
  readonly extensions?: readonly Extension[] | undefined;
  /** About how many bytes it takes up in a buffer or tail. */
  readonly size: number;
}
