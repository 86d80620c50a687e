/**
 * Binary in JSON: an object whose only key is `$binary`, with base64 as its value. This form is reserved: no other
 * value of the data model looks like it, in any dialect.
 */
import { MAX_DEPTH } from '../payload.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { MalformedFrameError } from './dialect.js';

export const BINARY_KEY = '$binary';

/**
 * Deepest nesting of a frame: three levels more than of data, because a frame, its list of messages and a message are
 * around the data of a history reply.
 */
export const MAX_FRAME_DEPTH = MAX_DEPTH + 3;

/** Whether a JSON text may hold binary. The key may also be written with escapes. */
export function mayHoldBinary(text: string): boolean {
  return text.includes(BINARY_KEY) || text.includes('\\u');
}

/** Whether a parsed JSON object stands for binary. */
export function isSpelledBinary(object: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(object);
  return keys.length === 1 && keys[0] === BINARY_KEY;
}

/**
 * Turns every `{"$binary": base64}` of a parsed JSON value into a `Uint8Array`, in place where it can.
 * @throws {MalformedFrameError} if base64 is invalid, or values nest deeper than `depth`
 */
export function reviveBinary(value: unknown, depth = MAX_DEPTH): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const container = value as Record<string, unknown>;
  if (isSpelledBinary(container)) return readBinary(container[BINARY_KEY]);
  if (depth === 0) throw new MalformedFrameError('nests too deep');
  for (const key of Object.keys(container)) {
    const child = container[key];
    const revived = reviveBinary(child, depth - 1);
    if (revived !== child) setOwn(container, key, revived);
  }
  return value;
}

/**
 * A replacer for `JSON.stringify` that writes binary as `{"$binary": base64}`. It takes the value before its `toJSON`
 * was called, because a Buffer has that method.
 */
export function spellBinary(this: unknown, key: string, value: unknown): unknown {
  const bytes = asBinary((this as Record<string, unknown>)[key]);
  return bytes ? { [BINARY_KEY]: encodeBase64(bytes) } : value;
}

/**
 * The bytes of a value that counts as binary in application data, which is a `Uint8Array` or `ArrayBuffer`; `undefined`
 * for all others.
 */
export function asBinary(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** Sets a member as `JSON.parse` does: `__proto__` is a key like any other. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[key] = value;
  }
}

function readBinary(base64: unknown): Uint8Array {
  const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined;
  if (!bytes) throw new MalformedFrameError('$binary is no base64');
  return bytes;
}
