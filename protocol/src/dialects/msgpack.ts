import { MAX_FRAME_DEPTH } from './binary.js';
import { type Dialect, MalformedFrameError } from './dialect.js';
import { asObject } from './json.js';
import { decodeMsgpack } from './msgpack-reader.js';
import { encodeMsgpack } from './msgpack-writer.js';

export const MSGPACK_SUBPROTOCOL = 'fanfare.msgpack.v1';

/** Frames as MessagePack maps; data may hold binary. */
export const msgpackDialect: Dialect = {
  name: 'msgpack',
  subprotocol: MSGPACK_SUBPROTOCOL,
  binary: true,
  encode: encodeMsgpack,
  decode(wire) {
    if (typeof wire === 'string') throw new MalformedFrameError('not binary');
    return asObject(decodeMsgpack(wire, MAX_FRAME_DEPTH));
  },
};
