import { MAX_DEPTH, type Payload, type RawMessage } from '../payload.js';
import { setOwn } from './binary.js';
import { type ByteWriter, buildBytes, copyBytes } from './byte-writer.js';
import { MalformedFrameError, type RawDialect, type RawFrame, type Wire } from './dialect.js';
import { idOf } from './json.js';
import { msgpackDialect } from './msgpack.js';
import { MsgpackReader } from './msgpack-reader.js';
import { writeArrayHeader, writeMapHeader, writeNumber, writeString, writeValue } from './msgpack-writer.js';
import { transcode } from './transcode.js';

/** The gateway's MessagePack dialect: `data` keeps its bytes on the way in and out. */
export const msgpackRawDialect: RawDialect = {
  ...msgpackDialect,
  decodeRaw(wire) {
    const fields: Record<string, unknown> = {};
    try {
      return { fields, payload: readFrame(wire, fields) };
    } catch (error) {
      throw error instanceof MalformedFrameError ? new MalformedFrameError(error.message, idOf(fields)) : error;
    }
  },
  encodeMessage: (channel, message) =>
    buildBytes((writer) => {
      writeMapHeader(writer, 2 + fieldCount(message));
      writeString(writer, 'type');
      writeString(writer, 'message');
      writeString(writer, 'channel');
      writeString(writer, channel);
      writeMessageFields(writer, message);
    }),
  encodeHistory: (id, channel, messages, more) =>
    buildBytes((writer) => {
      writeMapHeader(writer, 5);
      writeString(writer, 'type');
      writeString(writer, 'history');
      writeString(writer, 'id');
      writeNumber(writer, id);
      writeString(writer, 'channel');
      writeString(writer, channel);
      writeString(writer, 'messages');
      writeArrayHeader(writer, messages.length);
      for (const message of messages) {
        writeMapHeader(writer, 1 + fieldCount(message));
        writeString(writer, 'epoch');
        writeString(writer, message.epoch);
        writeMessageFields(writer, message);
      }
      writeString(writer, 'more');
      writeValue(writer, more);
    }),
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

/** Fills `fields` as far as it can be read; the result is the value of `data`. */
function readFrame(wire: Uint8Array, fields: RawFrame['fields']): Payload | undefined {
  const reader = new MsgpackReader(wire);
  const size = reader.readMapSize();
  if (size === undefined) throw new MalformedFrameError('not an object');
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

/** The members that `message` frames and `history` items share. */
function writeMessageFields(writer: ByteWriter, { offset, prev, time, user, key, tags, payload }: RawMessage): void {
  if (offset !== undefined) {
    writeString(writer, 'offset');
    writeNumber(writer, offset);
  }
  if (prev !== undefined) {
    writeString(writer, 'prev');
    writeNumber(writer, prev);
  }
  writeString(writer, 'data');
  writer.bytes(transcode(payload, 'msgpack').bytes);
  writeString(writer, 'time');
  writeNumber(writer, time);
  if (user !== undefined) {
    writeString(writer, 'user');
    writeString(writer, user);
  }
  if (key !== undefined) {
    writeString(writer, 'key');
    writeString(writer, key);
  }
  if (tags !== undefined) {
    writeString(writer, 'tags');
    writeValue(writer, tags);
  }
}

function fieldCount({ offset, prev, user, key, tags }: RawMessage): number {
  return (
    2 +
    Number(offset !== undefined) +
    Number(prev !== undefined) +
    Number(user !== undefined) +
    Number(key !== undefined) +
    Number(tags !== undefined)
  );
}
