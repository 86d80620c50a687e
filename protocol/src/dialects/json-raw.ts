import { MAX_DEPTH, type Payload } from '../payload.js';
import { encodeUtf8 } from '../utf8.js';
import { isSpelledBinary, mayHoldBinary, reviveBinary } from './binary.js';
import { type ByteWriter, buildBytes, copyBytes } from './byte-writer.js';
import { holdsPayloads, type JoiningDialect, MalformedFrameError, type RawFrame, type Wire } from './dialect.js';
import { asObject, idOf, isObject, jsonDialect, parseJson, readText } from './json.js';
import { JsonCursor } from './json-cursor.js';
import { transcode } from './transcode.js';

const OPEN_BRACKET = 0x5b;
const COMMA = 0x2c;
const CLOSE_BRACKET = 0x5d;
/** Up to this many characters a loop is faster than `JSON.stringify`. */
const SHORT_WORD = 40;

/** The gateway's side of the JSON dialect: `data` keeps its text to the letter on the way in and out. */
export const jsonRawDialect: JoiningDialect = {
  ...jsonDialect,
  decodeRaw(wire) {
    const text = readText(wire);
    const frame = asObject(parseJson(text));
    const read = new RawJsonReader(text, wire).readFrame(frame);
    if (read instanceof MalformedFrameError) throw new MalformedFrameError(read.message, idOf(frame));
    return read;
  },
  encodeRaw(frame) {
    if (!holdsPayloads(frame)) return jsonDialect.encode(frame);
    return buildBytes((writer) => writeRaw(writer, frame));
  },
  join(frames) {
    if (frames.length === 1) return frames[0] as Wire;
    const pieces = asBytes(frames);
    let size = 1;
    for (const piece of pieces) size += piece.length + 1;
    const joined = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      joined[at] = at === 0 ? OPEN_BRACKET : COMMA;
      joined.set(piece, at + 1);
      at += piece.length + 1;
    }
    joined[at] = CLOSE_BRACKET;
    return joined;
  },
};

/** The frames as bytes. Messages are bytes already; frames that are text are rarer. */
function asBytes(frames: readonly Wire[]): readonly Uint8Array[] {
  if (!frames.some((frame) => typeof frame === 'string')) return frames as readonly Uint8Array[];
  return frames.map((frame) => (typeof frame === 'string' ? encodeUtf8(frame) : frame));
}

/** The body of a publish request: one message, or several. */
export interface PublishBody extends RawFrame {
  /**
   * The items of `messages` (which is not among `fields` then), each with its own payload.
   * `undefined` if there is no such array. An item that is no object, or holds what is outside the
   * data model, is an error of its own.
   */
  readonly messages: readonly (RawFrame | MalformedFrameError)[] | undefined;
}

/**
 * Reads the JSON body of `POST /v1/publish`: `{"channel":..,"data":..}` or `{"messages":[{..},..]}`.
 * One `JSON.parse` and one linear scan; each `data` is a {@link Payload} with its text verbatim.
 * Fields are not validated.
 * @throws {MalformedFrameError} if it is no JSON object in UTF-8, or its own `data` is outside the data model.
 */
export function parsePublishBody(body: Uint8Array): PublishBody {
  const text = readText(body);
  const whole = asObject(parseJson(text));
  const reader = new RawJsonReader(text, body);
  if (!Array.isArray(whole.messages)) {
    const { fields, payload } = frameOrThrow(reader.readFrame(whole));
    return { fields, payload, messages: undefined };
  }
  const { messages: items, ...rest } = whole;
  let messages: PublishBody['messages'];
  const frame = reader.readFrame(rest, (key) => {
    if (key !== 'messages' || !reader.cursor.atArray()) return false;
    messages = reader.readItems(items as unknown[]);
    return true;
  });
  const { fields, payload } = frameOrThrow(frame);
  return { fields, payload, messages };
}

/** Pairs what `JSON.parse` made of a text with the places in the text where each `data` stands. */
class RawJsonReader {
  readonly cursor: JsonCursor;
  readonly #bytes: Uint8Array;
  /** Whether the text is ASCII, where positions in the text are the same as in its bytes. */
  readonly #ascii: boolean;
  readonly #mayHoldBinary: boolean;

  constructor(text: string, bytes: Uint8Array) {
    this.cursor = new JsonCursor(text);
    this.#bytes = bytes;
    this.#ascii = text.length === bytes.length;
    this.#mayHoldBinary = mayHoldBinary(text);
  }

  /**
   * Steps over the object at the cursor, which was parsed as `parsed`. `visit` may step over a member itself, and says
   * whether it did.
   */
  readFrame(parsed: Record<string, unknown>, visit?: (key: string) => boolean): RawFrame | MalformedFrameError {
    let start = -1;
    let end = 0;
    let deepest = 0;
    this.cursor.eachMember((key) => {
      if (visit?.(key)) return;
      const value = this.cursor.skipValue();
      if (key !== 'data') return;
      start = value.start;
      end = this.cursor.at;
      deepest = value.depth;
    });
    if (deepest > MAX_DEPTH) return new MalformedFrameError(`data nests deeper than ${MAX_DEPTH}`);
    if (this.#mayHoldBinary && isSpelledBinary(parsed)) return new MalformedFrameError('not an object');
    if (start < 0) return { fields: parsed, payload: undefined };
    const { data, ...fields } = parsed;
    return this.#problemOf(data) ?? { fields, payload: this.#cut(start, end) };
  }

  /** Steps over the array at the cursor, which was parsed as `parsed` (or is a duplicate of that one). */
  readItems(parsed: readonly unknown[]): (RawFrame | MalformedFrameError)[] {
    const frames: (RawFrame | MalformedFrameError)[] = [];
    this.cursor.eachElement((index) => {
      const item = parsed[index];
      if (isObject(item) && this.cursor.atObject()) {
        frames.push(this.readFrame(item));
      } else {
        this.cursor.skipValue();
        frames.push(new MalformedFrameError('not an object'));
      }
    });
    return frames;
  }

  /** What is wrong with data, if anything. Unknown fields may hold anything; only data has to be of the data model. */
  #problemOf(data: unknown): MalformedFrameError | undefined {
    if (!this.#mayHoldBinary) return undefined;
    try {
      reviveBinary(data);
    } catch (error) {
      if (error instanceof MalformedFrameError) return error;
      throw error;
    }
  }

  #cut(start: number, end: number): Payload {
    const bytes = this.#ascii ? copyBytes(this.#bytes, start, end) : encodeUtf8(this.cursor.text.slice(start, end));
    return { format: 'json', bytes };
  }
}

function frameOrThrow(frame: RawFrame | MalformedFrameError): RawFrame {
  if (frame instanceof MalformedFrameError) throw frame;
  return frame;
}

/** Writes a frame, or one of its messages, member by member. Payloads are spliced in where they stand. */
function writeRaw(writer: ByteWriter, frame: object): void {
  const members = frame as Readonly<Record<string, unknown>>;
  let text = '';
  let isFirst = true;
  for (const name in members) {
    const value = members[name];
    if (value === undefined) continue;
    text += isFirst ? `{"${name}":` : leadOf(name);
    isFirst = false;
    if (name === 'data') {
      writer.text(text);
      writer.bytes(transcode(value as Payload, 'json').bytes);
      text = '';
    } else if (name === 'messages') {
      writer.text(`${text}[`);
      for (const [index, message] of (value as readonly object[]).entries()) {
        if (index > 0) writer.byte(COMMA);
        writeRaw(writer, message);
      }
      text = ']';
    } else if (typeof value === 'number') {
      text += value;
    } else {
      text += typeof value === 'string' ? quote(value) : JSON.stringify(value);
    }
  }
  writer.text(`${text}}`);
}

/** A text as JSON, as by `JSON.stringify`, which is slow for the short plain words that most texts are. */
function quote(text: string): string {
  if (text.length > SHORT_WORD) return JSON.stringify(text);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/**
 * What is written before the value of a member. It is made once for each name, because there are few names and many
 * messages.
 */
function leadOf(name: string): string {
  let lead = leads.get(name);
  if (lead === undefined) {
    lead = `,"${name}":`;
    leads.set(name, lead);
  }
  return lead;
}

const leads = new Map<string, string>();
