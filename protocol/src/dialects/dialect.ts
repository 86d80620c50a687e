import type { Frame } from '../frames.js';
import type { Payload } from '../payload.js';
import type { PayloadFrame, RawServerFrame } from '../raw-frames.js';

/** What goes into one WebSocket frame: text for JSON, bytes for MessagePack. */
export type Wire = string | Uint8Array;

/** A dialect: how frames look on the wire. */
export interface Dialect {
  /** Tells it from the other dialects of a gateway, also in the names of topics. */
  readonly name: string;
  /** The WebSocket subprotocol by which it is asked for. */
  readonly subprotocol: string;
  /** Further subprotocols that a client of this dialect can speak as well, whichever of them the gateway takes. */
  readonly reads?: readonly string[];
  /** Whether its WebSocket frames are binary. */
  readonly binary: boolean;
  /** One frame, or several as one array, which only a gateway sends. */
  encode(frame: Frame | readonly Frame[]): Wire;
  /**
   * The frame as a plain object, its `data` as JavaScript values with binary as `Uint8Array`;
   * not validated beyond being an object.
   * @throws {MalformedFrameError} if it is not one object of this dialect.
   */
  decode(wire: Wire): Record<string, unknown>;
  /**
   * What one WebSocket frame of a gateway holds: one frame or an array of frames, in order and each as
   * {@link decode} gives it. There is at least one.
   * @throws {MalformedFrameError} if it is neither: an empty array, or an element that is no object.
   * Then nothing of it may be used.
   */
  decodeAll(wire: Wire): Record<string, unknown>[];
}

/** A frame that was decoded but whose application data was left as it came. */
export interface RawFrame {
  /** All fields but `data`; not validated beyond being an object. */
  readonly fields: Record<string, unknown>;
  /** The value of `data`, checked (depth, binary, data model), if the frame has one. */
  readonly payload: Payload | undefined;
}

/** Whether a frame can have payloads in it; the others look the same in any encoder. */
export function holdsPayloads(frame: RawServerFrame): frame is PayloadFrame {
  return 'data' in frame || 'messages' in frame;
}

/** The gateway's side of a dialect: payloads pass through without being parsed or copied twice. */
export interface RawDialect extends Dialect {
  /** Bytes are lent: the result holds copies. @throws {MalformedFrameError} */
  decodeRaw(wire: Uint8Array): RawFrame;
  /**
   * A frame with its payloads, each spliced in where `data` stands, its members in their order; those that are
   * `undefined` are left out. A payload of the other format is transcoded. @throws {MalformedFrameError} if a
   * payload is not what its format says.
   */
  encodeRaw(frame: RawServerFrame): Wire;
  /**
   * Encoded frames of this dialect, at least one, as what one WebSocket frame holds: an array of them in
   * this order; one alone stays as it is. They are copied, not parsed, so none may be an array itself.
   * JSON adds one byte a frame and one more, MessagePack at most five bytes. Absent: clients of this dialect
   * take one frame at a time.
   */
  join?(frames: readonly Wire[]): Wire;
}

/** A dialect whose clients take arrays of frames: all that there are today. */
export type JoiningDialect = RawDialect & Required<Pick<RawDialect, 'join'>>;

/** The wire bytes are no frame of this dialect, or its data is outside the data model. */
export class MalformedFrameError extends Error {
  override readonly name = 'MalformedFrameError';
  readonly code = 'bad_request';
  /** The request's `id`, where it could still be read, so that the error can be told to it. */
  readonly id: number | undefined;
  constructor(message: string, id?: number) {
    super(message);
    this.id = id;
  }
}
