/**
 * What a load generator publishes: a JSON string that says who published it, with which number, when it was due, how
 * long it is and what its checksum is. Plain ASCII in fixed columns, so that a reader finds everything without parsing
 * JSON, and so that a gateway carries it verbatim in every dialect.
 *
 * ```
 * "SSSSSNNNNNNNNNNTTTTTTTTTTTTTTLLLLLCCCCCCCC…filler…"
 *  stream  number     due, us   length FNV-1a
 * ```
 */
interface Stamp {
  /** Number of the publishing connection. */
  readonly stream: number;
  /** Number of the message, counted from 0 in each stream on each channel. */
  readonly n: number;
  /** When the message was due, in microseconds of `clock.ts`. */
  readonly dueUs: number;
  /** Length of the text between the quotes. */
  readonly length: number;
}

const STREAM_DIGITS = 5;
const NUMBER_DIGITS = 10;
const DUE_DIGITS = 14;
const LENGTH_DIGITS = 5;
const CHECKSUM_DIGITS = 8;
const STAMP_LENGTH = STREAM_DIGITS + NUMBER_DIGITS + DUE_DIGITS + LENGTH_DIGITS;
const HEADER_LENGTH = STAMP_LENGTH + CHECKSUM_DIGITS;

/** Size of the smallest payload, with its quotes, bytes. */
export const MIN_PAYLOAD_BYTES = HEADER_LENGTH + 2;
/** Size of the largest payload, bytes: as much as the digits of the length can say. */
export const MAX_PAYLOAD_BYTES = 10 ** LENGTH_DIGITS;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const POOL_SHIFTS = 61;
const POOL = Array.from({ length: MAX_PAYLOAD_BYTES + POOL_SHIFTS }, (_, i) =>
  String.fromCharCode(97 + ((i * 7 + (i >> 5)) % 26)),
).join('');

/** Makes a JSON text of `size` bytes, with its quotes. */
export function encodePayload(stream: number, n: number, dueUs: number, size: number): string {
  const length = Math.max(size, MIN_PAYLOAD_BYTES) - 2;
  const stamp =
    digits(stream, STREAM_DIGITS) +
    digits(n, NUMBER_DIGITS) +
    digits(Math.round(dueUs), DUE_DIGITS) +
    digits(length, LENGTH_DIGITS);
  const shift = n % POOL_SHIFTS;
  const filler = POOL.slice(shift, shift + length - HEADER_LENGTH);
  const sum = fnvOfText(filler, fnvOfText(stamp, FNV_OFFSET));
  return `"${stamp}${(sum >>> 0).toString(16).padStart(CHECKSUM_DIGITS, '0')}${filler}"`;
}

/**
 * Reads stamps out of bytes. It is itself the stamp that was read last, so that nothing is allocated for each message.
 */
export class StampReader implements Stamp {
  stream = 0;
  n = 0;
  dueUs = 0;
  length = 0;

  /**
   * Reads the stamp of the text that begins at `at`, after its quote. Returns `false` if this is no payload of ours.
   */
  read(bytes: Uint8Array, at: number): boolean {
    this.stream = number(bytes, at, STREAM_DIGITS);
    this.n = number(bytes, at + STREAM_DIGITS, NUMBER_DIGITS);
    this.dueUs = number(bytes, at + STREAM_DIGITS + NUMBER_DIGITS, DUE_DIGITS);
    this.length = number(bytes, at + STREAM_DIGITS + NUMBER_DIGITS + DUE_DIGITS, LENGTH_DIGITS);
    return !Number.isNaN(this.stream + this.n + this.dueUs + this.length) && at + this.length <= bytes.length;
  }

  /** Whether the text whose stamp was just read is the one that was published. */
  isIntact(bytes: Uint8Array, at: number): boolean {
    const fillerAt = at + HEADER_LENGTH;
    const sum = fnvOfBytes(bytes, fillerAt, at + this.length, fnvOfBytes(bytes, at, at + STAMP_LENGTH, FNV_OFFSET));
    let told = 0;
    for (let i = at + STAMP_LENGTH; i < fillerAt; i++) {
      const code = bytes[i] as number;
      told = (told << 4) | (code <= 57 ? code - 48 : code - 87);
    }
    return told >>> 0 === sum >>> 0;
  }
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

/** Reads a number of `count` digits; NaN if there is anything else. */
function number(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = (bytes[i] as number) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function fnvOfText(text: string, from: number): number {
  let sum = from;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), FNV_PRIME);
  return sum;
}

function fnvOfBytes(bytes: Uint8Array, begin: number, end: number, from: number): number {
  let sum = from;
  for (let i = begin; i < end; i++) sum = Math.imul(sum ^ (bytes[i] as number), FNV_PRIME);
  return sum;
}
