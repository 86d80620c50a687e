import { StampReader } from '../audit/payload.js';

const DIGIT_0 = 48;
const QUOTE = 0x22;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const END_BRACE = 0x7d;
const END_BRACKET = 0x5d;
const COMMA = 0x2c;
const OFFSET_KEY = Buffer.from(',"offset":');
const DATA_KEY = Buffer.from(',"data":"');
/**
 * Where the channel's name begins: behind `{"type":"message","channel":"` in JSON, and behind `["` in compact messages.
 */
const NAME_AT = { json: '{"type":"message","channel":"'.length, compact: 2 };

/**
 * Reads the messages of our publishers where they lie, in the dialects that are text: nothing is parsed, and nothing is
 * allocated. Its fields hold the last message until the next one is read.
 */
export class MessageReader {
  /** The offset of the message. It is 0 on a live channel. */
  offset = 0;
  /** Where the text of the payload begins, behind its quote. */
  dataAt = 0;
  readonly stamp = new StampReader();
  #end = 0;

  /** Returns where the channel's name begins in a message that begins at `begin`, or -1 if this is no message. */
  nameAt(bytes: Buffer, begin: number): number {
    if (bytes[begin] === BRACKET) return bytes[begin + 1] === QUOTE ? begin + NAME_AT.compact : -1;
    // In `{"type":"message","channel":"` a type of seven letters begins with `me` and ends with a quote. No other frame
    // has that.
    if (bytes[begin + 9] !== 0x6d || bytes[begin + 10] !== 0x65 || bytes[begin + 16] !== QUOTE) return -1;
    return begin + NAME_AT.json;
  }

  /**
   * Reads the rest of a message that begins at `begin`, from behind the quote that ends its channel's name.
   * @returns where the message ends, or -1 if it has more or other fields than the messages of a plain channel, or data
   * that is not ours
   */
  read(bytes: Buffer, begin: number, from: number, limit: number): number {
    const isByPlace = bytes[begin] === BRACKET;
    const dataAt = isByPlace ? this.#readPlaces(bytes, from) : this.#readFields(bytes, from);
    const { stamp } = this;
    if (dataAt < 0 || !stamp.read(bytes, dataAt) || dataAt + stamp.length + 1 >= limit) return -1;
    this.dataAt = dataAt;
    const end = dataAt + stamp.length + 1;
    if (isByPlace) return bytes[end] === END_BRACKET ? end + 1 : -1;
    return endOfFlatObject(bytes, end, limit);
  }

  /** Reads `,offset,time,"` and returns where the payload begins, or -1. */
  #readPlaces(bytes: Buffer, from: number): number {
    this.offset = this.#number(bytes, from + 1);
    if (bytes[this.#end] !== COMMA) return -1;
    this.#number(bytes, this.#end + 1);
    return bytes[this.#end] === COMMA && bytes[this.#end + 1] === QUOTE ? this.#end + 2 : -1;
  }

  /**
   * Reads `,"offset":…,"data":"`, which has no offset on a live channel, and returns where the payload begins, or -1.
   */
  #readFields(bytes: Buffer, from: number): number {
    this.offset = 0;
    this.#end = from;
    if (matches(bytes, from, OFFSET_KEY)) this.offset = this.#number(bytes, from + OFFSET_KEY.length);
    return matches(bytes, this.#end, DATA_KEY) ? this.#end + DATA_KEY.length : -1;
  }

  #number(bytes: Buffer, from: number): number {
    let value = 0;
    let at = from;
    for (let digit = (bytes[at] as number) - DIGIT_0; digit >= 0 && digit <= 9; ) {
      value = value * 10 + digit;
      digit = (bytes[++at] as number) - DIGIT_0;
    }
    this.#end = at;
    return value;
  }
}

/**
 * Returns the place behind the brace that ends an object whose fields from `at` on hold no objects and no arrays, or
 * -1.
 */
function endOfFlatObject(bytes: Buffer, at: number, limit: number): number {
  let end = at;
  for (let byte = bytes[end]; byte !== END_BRACE; byte = bytes[++end]) {
    if (end >= limit || byte === BRACE || byte === BRACKET) return -1;
  }
  return end + 1;
}

function matches(bytes: Buffer, at: number, key: Buffer): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}
