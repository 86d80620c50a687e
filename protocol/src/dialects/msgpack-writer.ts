/**
 * Writes MessagePack of the JSON data model plus binary (https://github.com/msgpack/msgpack/blob/master/spec.md).
 * Values that JSON leaves out, or writes as null, are treated in the same way. Integers take their smallest form.
 */
import { asBinary, MAX_FRAME_DEPTH } from './binary.js';
import { type ByteWriter, buildBytes } from './byte-writer.js';

const TWO_32 = 0x1_0000_0000;

/** @throws {TypeError} on a `bigint` and on cycles (or what nests like one), as `JSON.stringify` does. */
export function encodeMsgpack(value: unknown): Uint8Array {
  const depth = Array.isArray(value) ? MAX_FRAME_DEPTH + 1 : MAX_FRAME_DEPTH;
  return buildBytes((writer) => writeValue(writer, value, depth));
}

export function writeValue(writer: ByteWriter, value: unknown, depth = MAX_FRAME_DEPTH): void {
  if (typeof value === 'string') writeString(writer, value);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'boolean') writer.byte(value ? 0xc3 : 0xc2);
  else if (typeof value === 'bigint') throw new TypeError('a bigint is not in the data model');
  else if (typeof value === 'object' && value !== null) writeObject(writer, value, depth);
  else writer.byte(0xc0);
}

export function writeString(writer: ByteWriter, text: string): void {
  writer.textAfterHeader(text, stringHeaderSize, (length) => {
    if (length < 32) writer.byte(0xa0 | length);
    else writeLength(writer, length, 0xd9, 0xda, 0xdb);
  });
}

/** Writes a number. NaN and the infinities become nil, and -0 becomes 0. */
function writeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value >= 0) writeUnsigned(writer, value);
    else writeNegative(writer, value);
  } else if (Number.isFinite(value)) {
    writer.byte(0xcb);
    writer.float64(value);
  } else {
    writer.byte(0xc0);
  }
}

export function writeMapHeader(writer: ByteWriter, size: number): void {
  writeSize(writer, size, 0x80, 0xde);
}

export function writeArrayHeader(writer: ByteWriter, size: number): void {
  writeSize(writer, size, 0x90, 0xdc);
}

/** Writes how many members there are: in the tag itself, or behind `tag16` or the tag that follows that. */
function writeSize(writer: ByteWriter, size: number, small: number, tag16: number): void {
  if (size < 16) writer.byte(small | size);
  else if (size < 0x1_0000) {
    writer.byte(tag16);
    writer.uint16(size);
  } else {
    writer.byte(tag16 + 1);
    writer.uint32(size);
  }
}

function writeObject(writer: ByteWriter, value: object, depth: number): void {
  const binary = asBinary(value);
  if (binary) {
    writeBinary(writer, binary);
    return;
  }
  if (depth === 0) throw new TypeError('nests too deep');
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') writeValue(writer, toJSON.call(value), depth - 1);
  else if (Array.isArray(value)) {
    writeArrayHeader(writer, value.length);
    for (const element of value) writeValue(writer, element, depth - 1);
  } else {
    const members = value as Record<string, unknown>;
    const keys = Object.keys(members).filter((key) => isPresent(members[key]));
    writeMapHeader(writer, keys.length);
    for (const key of keys) {
      writeString(writer, key);
      writeValue(writer, members[key], depth - 1);
    }
  }
}

function writeBinary(writer: ByteWriter, bytes: Uint8Array): void {
  writeLength(writer, bytes.length, 0xc4, 0xc5, 0xc6);
  writer.bytes(bytes);
}

/** Whether a member with this value is written: JSON leaves the others out. */
function isPresent(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}

function writeUnsigned(writer: ByteWriter, value: number): void {
  if (value < 0x80) writer.byte(value);
  else if (value < TWO_32) writeLength(writer, value, 0xcc, 0xcd, 0xce);
  else writeInt64(writer, 0xcf, value);
}

function writeNegative(writer: ByteWriter, value: number): void {
  if (value >= -0x20) writer.byte(value & 0xff);
  else if (value >= -0x80) {
    writer.byte(0xd0);
    writer.byte(value & 0xff);
  } else if (value >= -0x8000) {
    writer.byte(0xd1);
    writer.uint16(value & 0xffff);
  } else if (value >= -0x8000_0000) {
    writer.byte(0xd2);
    writer.uint32(value >>> 0);
  } else {
    writeInt64(writer, 0xd3, value);
  }
}

/**
 * Writes an integer of 64 bits in two's complement. The high word is the floor of the quotient, and the low word the
 * rest.
 */
function writeInt64(writer: ByteWriter, tag: number, value: number): void {
  writer.byte(tag);
  writer.uint32(Math.floor(value / TWO_32) >>> 0);
  writer.uint32(value >>> 0);
}

/** Writes a number below 2^32 in 1, 2 or 4 bytes, behind the tag for that width. */
function writeLength(writer: ByteWriter, value: number, tag8: number, tag16: number, tag32: number): void {
  if (value < 0x100) {
    writer.byte(tag8);
    writer.byte(value);
  } else if (value < 0x1_0000) {
    writer.byte(tag16);
    writer.uint16(value);
  } else {
    writer.byte(tag32);
    writer.uint32(value);
  }
}

function stringHeaderSize(length: number): number {
  return length < 32 ? 1 : length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 5;
}
