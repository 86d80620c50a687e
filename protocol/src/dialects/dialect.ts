import type { Frame } from '../frames.js';
import type { Payload } from '../payload.js';
import type { PayloadFrame, RawServerFrame } from '../raw-frames.js';

/** The content of one WebSocket frame: text for JSON, bytes for MessagePack. */
export type Wire = string | Uint8Array;

/** A dialect: how frames look on the wire. */
export interface Dialect {
  /** Name of the dialect, which no other dialect of a gateway has. The names of topics contain it. */
  readonly name: string;
  /** The WebSocket subprotocol by which clients ask for the dialect. */
  readonly subprotocol: string;
  /** Further subprotocols that a client of this dialect offers as well, because it can read all of them. */
  readonly reads?: readonly string[];
  /** Whether the WebSocket frames of the dialect are binary. */
  readonly binary: boolean;
  /** Encodes one frame, or several as one array, which only a gateway sends. */
  encode(frame: Frame | readonly Frame[]): Wire;
  /**
   * Decodes one frame to a plain object. Its `data` are JavaScript values, with binary as `Uint8Array`. Nothing is
   * validated except that it is an object.
   * @throws {MalformedFrameError} if it is not one object of this dialect
   */
  decode(wire: Wire): Record<string, unknown>;
  /**
   * Decodes what one WebSocket frame of a gateway holds: one frame or an array of frames, in order, each as
   * {@link decode} returns it. There is at least one.
   * @throws {MalformedFrameError} if it is neither: an empty array, or one with an element that is no object. Nothing
   * of it may be used then.
   */
  decodeAll(wire: Wire): Record<string, unknown>[];
}

/** A decoded frame whose application data was left as it came. */
export interface RawFrame {
  /** All fields except `data`. Nothing is validated except that it is an object. */
  readonly fields: Record<string, unknown>;
  /** The value of `data`, if the frame has one. Its depth, binary and data model are checked. */
  readonly payload: Payload | undefined;
}

/** Whether a frame can have payloads in it. Other frames are encoded without regard to payloads. */
export function holdsPayloads(frame: RawServerFrame): frame is PayloadFrame {
  return 'data' in frame || 'messages' in frame;
}

/** The gateway's side of a dialect, in which payloads pass through without being parsed, and are copied only once. */
export interface RawDialect extends Dialect {
  /** Decodes a frame of a client. The bytes are lent; the result holds copies. @throws {MalformedFrameError} */
  decodeRaw(wire: Uint8Array): RawFrame;
  /**
   * Encodes a frame with its payloads, each of which is spliced in where `data` stands. Fields keep their order; those
   * that are `undefined` are left out. A payload of the other format is transcoded. @throws {MalformedFrameError} if a
   * payload is not what its format says
   */
  encodeRaw(frame: RawServerFrame): Wire;
  /**
   * Joins encoded frames of this dialect to the content of one WebSocket frame: an array of them in this order. A
   * single frame stays as it is. The frames are copied and not parsed, so none may be an array itself. JSON adds one
   * byte for each frame and one more; MessagePack adds at most five bytes. Absent: clients of this dialect take only
   * one frame at a time.
   */
  join?(frames: readonly Wire[]): Wire;
}

/** A dialect whose clients take arrays of frames, as those of all present dialects do. */
export type JoiningDialect = RawDialect & Required<Pick<RawDialect, 'join'>>;

/** The bytes are no frame of this dialect, or their data is outside the data model. */
export class MalformedFrameError extends Error {
  override readonly name = 'MalformedFrameError';
  readonly code = 'bad_request';
  /** The `id` of the request, if it could still be read, so that the error can answer it. */
  readonly id: number | undefined;
  constructor(message: string, id?: number) {
    super(message);
    this.id = id;
  }
}
