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
/** Where the channel's name begins in `{"type":"message","channel":"…`, and in `["…`. */
const NAME_AT = { json: '{"type":"message","channel":"'.length, compact: 2 };

/**
 * Reads messages of ours in the dialects that are text, where they lie: nothing is parsed, nothing is allocated. What it
 * has read is lent until it reads the next.
 */
export class MessageReader {
  /** 0 on a live channel. */
  offset = 0;
  /** Where the payload's text begins, behind its quote. */
  dataAt = 0;
  readonly stamp = new StampReader();
  #end = 0;

  /** Where the name of the channel of a message that begins at `begin` does; -1: it is something else. */
  nameAt(bytes: Buffer, begin: number): number {
    if (bytes[begin] === BRACKET) return bytes[begin + 1] === QUOTE ? begin + NAME_AT.compact : -1;
    // `{"type":"message","channel":"`: no other frame has an m and an e there, and a quote after seven letters.
    if (bytes[begin + 9] !== 0x6d || bytes[begin + 10] !== 0x65 || bytes[begin + 16] !== QUOTE) return -1;
    return begin + NAME_AT.json;
  }

  /**
   * The rest of a message that begins at `begin`, from behind the quote that ends its channel's name.
   * @returns where the message ends, or -1: it has more or other fields than the messages of a plain channel, or data
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

  /** `,offset,time,"` */
  #readPlaces(bytes: Buffer, from: number): number {
    this.offset = this.#number(bytes, from + 1);
    if (bytes[this.#end] !== COMMA) return -1;
    this.#number(bytes, this.#end + 1);
    return bytes[this.#end] === COMMA && bytes[this.#end + 1] === QUOTE ? this.#end + 2 : -1;
  }

  /** `,"offset":…,"data":"`, on a live channel without the first. */
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

/** Behind the brace that ends an object whose fields from `at` on hold no objects and no arrays; or -1. */
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
