import { writeUtf8 } from '../utf8.js';

const INITIAL_BYTES = 4096;
/** A writer that grew beyond this is not kept. */
const KEPT_BYTES = 65_536;
/** Up to here a loop beats the call into `TextEncoder`. */
const SHORT_TEXT = 96;

/** A growing buffer that frames are put together in. */
export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Appends `text` in UTF-8 (half a surrogate pair becomes U+FFFD). */
  text(text: string): void {
    this.#reserve(text.length * 3);
    this.#at += this.#put(text, this.#at);
  }

  /**
   * Appends `text` behind a header that tells its length: `header` is called with the bytes of text
   * and writes the header; `headerSize` says how many bytes that takes.
   */
  textAfterHeader(text: string, headerSize: (bytes: number) => number, header: (bytes: number) => void): void {
    const expected = headerSize(text.length);
    this.#reserve(text.length * 3 + 8);
    const start = this.#at;
    const length = this.#put(text, start + expected);
    const actual = headerSize(length);
    if (actual !== expected) this.#bytes.copyWithin(start + actual, start + expected, start + expected + length);
    header(length);
    this.#at = start + actual + length;
  }

  reset(): void {
    this.#at = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#resize(INITIAL_BYTES);
  }

  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #put(text: string, at: number): number {
    if (text.length > SHORT_TEXT) return writeUtf8(text, this.#bytes, at);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return writeUtf8(text, this.#bytes, at);
      this.#bytes[at + i] = unit;
    }
    return text.length;
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, this.#bytes.length * 2));
  }

  #resize(capacity: number): void {
    const old = this.#bytes;
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#bytes.set(old.subarray(0, this.#at));
  }
}

let spare: ByteWriter | undefined;

/** The bytes that `write` writes. May be called again from within (a `toJSON` that encodes). */
export function buildBytes(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = spare ?? new ByteWriter();
  spare = undefined;
  try {
    write(writer);
    return writer.copy();
  } finally {
    writer.reset();
    spare = writer;
  }
}

/** A copy of a part of `bytes`; unlike `slice`, also where they are a Node `Buffer`. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
