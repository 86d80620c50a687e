/**
 * Reads MessagePack of the JSON data model plus binary: without extension types, and with string keys only, finite
 * numbers, valid UTF-8 and bounded depth. Lengths are compared with the bytes that are there before anything is
 * allocated.
 */
import { MAX_DEPTH } from '../payload.js';
import { decodeUtf8 } from '../utf8.js';
import { BINARY_KEY, setOwn } from './binary.js';
import { copyBytes } from './byte-writer.js';
import { MalformedFrameError } from './dialect.js';

const TWO_32 = 0x1_0000_0000;
/** Up to this many bytes a loop is faster than a call of `TextDecoder`. */
const SHORT_STRING = 16;

/** Decodes one whole value. @throws {MalformedFrameError} */
export function decodeMsgpack(bytes: Uint8Array, depth = MAX_DEPTH): unknown {
  const reader = new MsgpackReader(bytes);
  const value = reader.read(depth);
  reader.end();
  return value;
}

export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the next value starts. */
  at = 0;
  /**
   * What is wrong with the first value outside the data model. Reading goes on behind it, so that the rest of the frame
   * is known.
   */
  problem: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads the next value, in which arrays and maps may nest at most `depth` deep.
   * @throws {MalformedFrameError} if the bytes are no MessagePack, or nest deeper
   */
  read(depth: number): unknown {
    const tag = this.#uint8();
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth);
    if (tag < 0xc0) return this.#string(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint8());
      case 0xc5:
        return this.#binary(this.#uint16());
      case 0xc6:
        return this.#binary(this.#uint32());
      case 0xca:
        return this.#float(this.#view.getFloat32(this.#take(4)));
      case 0xcb:
        return this.#float(this.#view.getFloat64(this.#take(8)));
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return this.#uint32() * TWO_32 + this.#uint32();
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return this.#view.getInt32(this.#take(4)) * TWO_32 + this.#uint32();
      case 0xd9:
        return this.#string(this.#uint8());
      case 0xda:
        return this.#string(this.#uint16());
      case 0xdb:
        return this.#string(this.#uint32());
      case 0xdc:
        return this.#array(this.#uint16(), depth);
      case 0xdd:
        return this.#array(this.#uint32(), depth);
      case 0xde:
        return this.#map(this.#uint16(), depth);
      case 0xdf:
        return this.#map(this.#uint32(), depth);
      case 0xc1:
        throw new MalformedFrameError('not valid MessagePack');
      default:
        return this.#extension(tag);
    }
  }

  readKey(): string {
    const key = this.read(0);
    if (typeof key === 'string') return key;
    this.problem ??= 'a map key is no string';
    return '';
  }

  /** @throws {MalformedFrameError} if bytes are left */
  end(): void {
    if (this.at !== this.#bytes.length) throw new MalformedFrameError('more than one value');
    if (this.problem !== undefined) throw new MalformedFrameError(this.problem);
  }

  #map(size: number, depth: number): Record<string, unknown> {
    this.#descend(depth);
    this.#fits(size, 2);
    const map: Record<string, unknown> = {};
    let last = '';
    for (let i = 0; i < size; i++) {
      last = this.readKey();
      setOwn(map, last, this.read(depth - 1));
    }
    if (size === 1 && last === BINARY_KEY) this.problem ??= 'a map with $binary as its only key is reserved';
    return map;
  }

  #array(size: number, depth: number): unknown[] {
    this.#descend(depth);
    this.#fits(size, 1);
    const array: unknown[] = [];
    for (let i = 0; i < size; i++) array.push(this.read(depth - 1));
    return array;
  }

  #string(length: number): string {
    const start = this.#take(length);
    if (length <= SHORT_STRING) {
      let text = '';
      for (let i = start; i < this.at; i++) {
        const byte = this.#bytes[i] as number;
        if (byte >= 0x80) return this.#decode(start);
        text += String.fromCharCode(byte);
      }
      return text;
    }
    return this.#decode(start);
  }

  #decode(start: number): string {
    try {
      return decodeUtf8(this.#bytes.subarray(start, this.at));
    } catch {
      this.problem ??= 'a string is not valid UTF-8';
      return '';
    }
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length);
    return copyBytes(this.#bytes, start, this.at);
  }

  #float(value: number): number | null {
    if (Number.isFinite(value)) return value;
    this.problem ??= 'a number is not finite';
    return null;
  }

  /**
   * Steps over an extension type. Tags 0xc7 to 0xc9 are followed by a length; 0xd4 to 0xd8 hold 1, 2, 4, 8 and 16
   * bytes. All have a type byte.
   */
  #extension(tag: number): null {
    const length =
      tag === 0xc7 ? this.#uint8() : tag === 0xc8 ? this.#uint16() : tag === 0xc9 ? this.#uint32() : 1 << (tag - 0xd4);
    this.#take(length + 1);
    this.problem ??= 'extension types are not in the data model';
    return null;
  }

  #descend(depth: number): void {
    if (depth <= 0) throw new MalformedFrameError(`nests deeper than ${MAX_DEPTH}`);
  }

  #fits(count: number, bytesEach: number): number {
    if (count * bytesEach > this.#bytes.length - this.at) throw new MalformedFrameError('truncated');
    return count;
  }

  #take(count: number): number {
    const start = this.at;
    if (count > this.#bytes.length - start) throw new MalformedFrameError('truncated');
    this.at = start + count;
    return start;
  }

  #uint8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  #uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }
}
