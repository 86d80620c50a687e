import type { Frame } from '../frames.js';
import { decodeNatively } from '../utf8.js';
import { isSpelledBinary, mayHoldBinary, reviveBinary, spellBinary } from './binary.js';
import { type Dialect, MalformedFrameError, type Wire } from './dialect.js';

export const JSON_SUBPROTOCOL = 'fanfare.json.v1';

/** Frames as JSON text; binary data as `{"$binary": base64}`. */
export const jsonDialect: Dialect = {
  name: 'json',
  subprotocol: JSON_SUBPROTOCOL,
  binary: false,
  encode: encodeJson,
  decode(wire) {
    const text = asText(wire);
    const frame = asObject(parseJson(text));
    reviveFrames([frame], text);
    return frame;
  },
  decodeAll(wire) {
    const text = asText(wire);
    return reviveFrames(framesOf(parseJson(text)), text);
  },
};

export function asText(wire: Wire): string {
  return typeof wire === 'string' ? wire : readText(wire);
}

/** Only frames with application data can hold binary. */
function encodeJson(frame: Frame | readonly Frame[]): Wire {
  const mayHold = Array.isArray(frame) || 'data' in frame || 'messages' in frame;
  return mayHold ? stringify(frame) : JSON.stringify(frame);
}

/** JSON of a value that may hold binary. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, spellBinary);
}

/** Revives the binary in frames that were parsed from `text`, if there is any in that text. */
export function reviveFrames(frames: Record<string, unknown>[], text: string): Record<string, unknown>[] {
  if (mayHoldBinary(text)) frames.forEach(reviveData);
  return frames;
}

/**
 * Revives the binary in the data of a frame and of its list of messages. Unknown fields are left alone, whatever they
 * hold.
 */
function reviveData(frame: Record<string, unknown>): void {
  if (isSpelledBinary(frame)) throw new MalformedFrameError('not an object');
  try {
    for (const holder of Array.isArray(frame.messages) ? [frame, ...frame.messages] : [frame])
      if (isObject(holder) && 'data' in holder) holder.data = reviveBinary(holder.data);
  } catch (error) {
    throw new MalformedFrameError((error as Error).message, idOf(frame));
  }
}

/** @throws {MalformedFrameError} */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedFrameError('not valid JSON');
  }
}

/** @throws {MalformedFrameError} if the value is anything but an object */
export function asObject(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new MalformedFrameError('not an object');
}

/** The frames in a parsed value, which is one frame, or an array of at least one. @throws {MalformedFrameError} */
export function framesOf(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [asObject(value)];
  if (value.length === 0) throw new MalformedFrameError('an empty list');
  return value.map(asObject);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Reads UTF-8 bytes as text; where no `TextDecoder` is, text comes as text. @throws {MalformedFrameError} */
export function readText(bytes: Uint8Array): string {
  try {
    return decodeNatively(bytes);
  } catch {
    throw new MalformedFrameError('not valid UTF-8');
  }
}

/** The request id in a value that may be a frame; `undefined` if it has none. */
export function idOf(frame: unknown): number | undefined {
  const id = (frame as { id?: unknown } | null)?.id;
  return Number.isSafeInteger(id) && (id as number) > 0 ? (id as number) : undefined;
}
