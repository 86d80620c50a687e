import { MAX_FRAME_DEPTH } from './binary.js';
import { type Dialect, MalformedFrameError, type Wire } from './dialect.js';
import { asObject, framesOf } from './json.js';
import { decodeMsgpack } from './msgpack-reader.js';
import { encodeMsgpack } from './msgpack-writer.js';

export const MSGPACK_SUBPROTOCOL = 'fanfare.msgpack.v1';

/** Frames as MessagePack maps. Data may hold binary. */
export const msgpackDialect: Dialect = {
  name: 'msgpack',
  subprotocol: MSGPACK_SUBPROTOCOL,
  binary: true,
  encode: encodeMsgpack,
  decode(wire) {
    return asObject(decodeMsgpack(asBytes(wire), MAX_FRAME_DEPTH));
  },
  decodeAll(wire) {
    const bytes = asBytes(wire);
    return framesOf(decodeMsgpack(bytes, isArray(bytes) ? MAX_FRAME_DEPTH + 1 : MAX_FRAME_DEPTH));
  },
};

function asBytes(wire: Wire): Uint8Array {
  if (typeof wire === 'string') throw new MalformedFrameError('not binary');
  return wire;
}

/** Whether the bytes are an array, whose frames nest one level deeper. */
function isArray(bytes: Uint8Array): boolean {
  const tag = bytes[0] as number;
  return (tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd;
}
