import { writeUtf8 } from '../utf8.js';

/**
 * Size of the buffers that small results share, bytes. Memory of its own for each would cost the engine more than the
 * encoding of a small frame.
 */
const CHUNK_BYTES = 8192;
/** Up to this many characters a loop is faster than a call of `TextEncoder`. */
const SHORT_TEXT = 16;

/** Puts frames together, byte by byte. */
export class ByteWriter {
  #bytes = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  /** Where the bytes that were written since the last `take` start. */
  #start = 0;
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
   * Appends `text` behind a header that says its length in bytes. `header` writes the header, and `headerSize` says how
   * many bytes that takes.
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

  /** Returns what was written since the last `take`, as a view of memory that nothing else will write to. */
  take(): Uint8Array {
    if (this.#bytes.length > CHUNK_BYTES) {
      const result = this.#bytes.slice(this.#start, this.#at);
      this.#renew(CHUNK_BYTES, 0);
      return result;
    }
    const result = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return result;
  }

  /** Forgets what was written since the last `take`. */
  discard(): void {
    this.#at = this.#start;
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
    if (this.#at + count <= this.#bytes.length) return;
    const used = this.#at - this.#start;
    this.#renew(Math.max(CHUNK_BYTES, used * 2 + count), used);
  }

  /** Goes on in a new buffer, with the last `used` bytes. */
  #renew(capacity: number, used: number): void {
    const old = this.#bytes;
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#bytes.set(old.subarray(this.#start, this.#start + used));
    this.#start = 0;
    this.#at = used;
  }
}

let spare: ByteWriter | undefined;

/**
 * The bytes that `write` writes. They are a view, which may share its buffer with other results. `write` may call this
 * function again, as a `toJSON` does that encodes something.
 */
export function buildBytes(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = spare ?? new ByteWriter();
  spare = undefined;
  try {
    write(writer);
    return writer.take();
  } finally {
    writer.discard();
    spare = writer;
  }
}

/** The writer for copies. They live longer than frames, so they have one of their own. */
const copies = new ByteWriter();
/** Up to this many bytes the engine has cheap memory for an array of its own. */
const SMALL_COPY = 64;
/** From this many bytes on a shared buffer saves nothing. */
const LARGE_COPY = CHUNK_BYTES / 2;

/** A copy of a part of `bytes`. It is a view, which may share its buffer with other copies. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const part = bytes.subarray(start, end);
  if (part.length <= SMALL_COPY || part.length >= LARGE_COPY) return new Uint8Array(part);
  copies.bytes(part);
  return copies.take();
}
