import type { EpochFrame, ErrorFrame, RawDialect, ResetFrame, Wire } from '@fanfare/protocol';
import { exceptOf } from '../broker/extensions.js';
import type { LogPosition, LogRecord } from '../broker/record.js';

/** Something a channel sends to its subscribers, and where they stand once they have it. */
export interface Outgoing {
  /** Where a client stands once it has the item; `undefined` on live channels. */
  readonly position: LogPosition | undefined;
  /** About how many bytes the item takes up while it waits. */
  readonly size: number;
  /**
   * When the message was stored, ms since the Unix epoch, by the clock of the broker. Absent if the item is no message.
   */
  readonly time?: number;
  /** The frame in this dialect. It is encoded once, however many subscribers get it. */
  frame(dialect: RawDialect): Wire;
  /** The session that does not get the item. Absent: everybody gets it. */
  readonly exception?: Exception | undefined;
}

/** One session that does not get what all others get. */
interface Exception {
  readonly session: string;
  /**
   * What the session is sent in place of the item, so that its position goes on. `undefined` on live channels, which
   * have no positions.
   */
  frame(dialect: RawDialect): Wire | undefined;
}

/** The frame that this session is sent for an item. `undefined`: it is sent nothing. */
export function frameFor(item: Outgoing, session: string, dialect: RawDialect): Wire | undefined {
  const { exception } = item;
  return exception?.session === session ? exception.frame(dialect) : item.frame(dialect);
}

/** A list of one frame in several dialects. There are seldom more than two, so a linked list is enough. */
interface Encoded {
  readonly dialect: RawDialect;
  readonly wire: Wire;
  readonly next: Encoded | undefined;
}

/** A record with its frames. Each is encoded when it is needed for the first time. */
export class Entry implements Outgoing {
  readonly record: LogRecord;
  readonly exception: Exception | undefined;
  readonly #channel: string;
  readonly #durable: boolean;
  #encoded: Encoded | undefined;

  constructor(channel: string, record: LogRecord, durable: boolean) {
    this.#channel = channel;
    this.record = record;
    this.#durable = durable;
    const session = record.extensions && exceptOf(record);
    this.exception = session === undefined ? undefined : this.#except(session);
  }

  get position(): LogPosition | undefined {
    return this.#durable ? this.record : undefined;
  }

  get size(): number {
    return this.record.size;
  }

  get time(): number {
    return this.record.time;
  }

  frame(dialect: RawDialect): Wire {
    for (let one = this.#encoded; one; one = one.next) if (one.dialect === dialect) return one.wire;
    this.#encoded = { dialect, wire: this.#encode(dialect), next: this.#encoded };
    return this.#encoded.wire;
  }

  #except(session: string): Exception {
    const { offset } = this.record;
    const frame = { type: 'position', channel: this.#channel, offset } as const;
    return { session, frame: (dialect) => (this.#durable ? dialect.encode(frame) : undefined) };
  }

  #encode(dialect: RawDialect): Wire {
    const { time, user, key, tags, payload: data } = this.record;
    const channel = this.#channel;
    try {
      if (!this.#durable) return dialect.encodeRaw({ type: 'message', channel, data, time, user, key, tags });
      const { offset, prev } = this.record;
      return dialect.encodeRaw({ type: 'message', channel, offset, prev, data, time, user, key, tags });
    } catch {
      return dialect.encode(this.#unreadable());
    }
  }

  /**
   * The frame for a record whose payload is not of the format that it says. Only a writer that is no gateway stores
   * such a record. Clients are told, so that nothing is passed over in silence.
   */
  #unreadable(): ResetFrame | ErrorFrame {
    if (this.#durable) return resetFrame(this.#channel, 'expired', this.record);
    const message = `a message of ${this.#channel} could not be read`;
    return { type: 'error', code: 'internal', message, retryable: false };
  }
}

/** An `epoch` or `reset` frame for every subscriber of a channel. */
export class Notice implements Outgoing {
  readonly position: LogPosition;
  readonly size = 128;
  readonly #frame: EpochFrame | ResetFrame;

  constructor(position: LogPosition, frame: EpochFrame | ResetFrame) {
    this.position = position;
    this.#frame = frame;
  }

  frame(dialect: RawDialect): Wire {
    return dialect.encode(this.#frame);
  }
}

export function epochFrame(channel: string, at: LogPosition): EpochFrame {
  return { type: 'epoch', channel, epoch: String(at.epoch), offset: at.offset };
}

export function resetFrame(channel: string, reason: ResetFrame['reason'], at: LogPosition): ResetFrame {
  return { type: 'reset', channel, reason, epoch: String(at.epoch), offset: at.offset };
}
