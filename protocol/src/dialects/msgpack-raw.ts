import { MAX_DEPTH, type Payload } from '../payload.js';
import { setOwn } from './binary.js';
import { type ByteWriter, buildBytes, copyBytes } from './byte-writer.js';
import { holdsPayloads, type JoiningDialect, MalformedFrameError, type RawFrame, type Wire } from './dialect.js';
import { idOf } from './json.js';
import { msgpackDialect } from './msgpack.js';
import { MsgpackReader } from './msgpack-reader.js';
import { writeArrayHeader, writeMapHeader, writeString, writeValue } from './msgpack-writer.js';
import { transcode } from './transcode.js';

/** The gateway's side of the MessagePack dialect: `data` keeps its bytes on the way in and out. */
export const msgpackRawDialect: JoiningDialect = {
  ...msgpackDialect,
  decodeRaw(wire) {
    const fields: Record<string, unknown> = {};
    try {
      return { fields, payload: readFrame(wire, fields) };
    } catch (error) {
      throw error instanceof MalformedFrameError ? new MalformedFrameError(error.message, idOf(fields)) : error;
    }
  },
  encodeRaw(frame) {
    if (!holdsPayloads(frame)) return msgpackDialect.encode(frame);
    return buildBytes((writer) => writeRaw(writer, frame));
  },
  join(frames) {
    if (frames.length === 1) return frames[0] as Wire;
    const head = buildBytes((writer) => writeArrayHeader(writer, frames.length));
    let size = head.length;
    for (const frame of frames) size += frame.length;
    const joined = new Uint8Array(size);
    joined.set(head);
    let at = head.length;
    for (const frame of frames) {
      joined.set(frame as Uint8Array, at);
      at += frame.length;
    }
    return joined;
  },
};

/** Reads a frame. Fills `fields` as far as the frame can be read, and returns the value of `data`. */
function readFrame(wire: Uint8Array, fields: RawFrame['fields']): Payload | undefined {
  const reader = new MsgpackReader(wire);
  const size = readMapSize(wire, reader);
  let payload: Payload | undefined;
  for (let i = 0; i < size; i++) {
    const key = reader.readKey();
    const start = reader.at;
    const value = reader.read(MAX_DEPTH);
    if (key === 'data') payload = { format: 'msgpack', bytes: copyBytes(wire, start, reader.at) };
    else setOwn(fields, key, value);
  }
  reader.end();
  return payload;
}

/** Reads the header of the map that a frame is: how many members it has, for which there are bytes. */
function readMapSize(wire: Uint8Array, reader: MsgpackReader): number {
  const tag = wire[0] ?? 0;
  const isSmall = (tag & 0xf0) === 0x80;
  if (!isSmall && tag !== 0xde && tag !== 0xdf) throw new MalformedFrameError('not an object');
  reader.at = isSmall ? 1 : tag === 0xde ? 3 : 5;
  const size = isSmall ? tag & 0x0f : wire.subarray(1, reader.at).reduce((sum, byte) => sum * 256 + byte, 0);
  if (size * 2 > wire.length - reader.at) throw new MalformedFrameError('truncated');
  return size;
}

/** Writes a frame, or one of its messages, member by member. Payloads are spliced in where they stand. */
function writeRaw(writer: ByteWriter, frame: object): void {
  const members = frame as Readonly<Record<string, unknown>>;
  let size = 0;
  for (const name in members) if (members[name] !== undefined) size++;
  writeMapHeader(writer, size);
  for (const name in members) {
    const value = members[name];
    if (value === undefined) continue;
    writeString(writer, name);
    if (name === 'data') {
      writer.bytes(transcode(value as Payload, 'msgpack').bytes);
    } else if (name === 'messages') {
      const messages = value as readonly object[];
      writeArrayHeader(writer, messages.length);
      for (const message of messages) writeRaw(writer, message);
    } else {
      writeValue(writer, value);
    }
  }
}
