import { FanfareClientError } from './errors.js';

/** Objects that would arrive as `{}`, or as an object of numbers. */
const NO_DATA = /^\[object (Map|Set|WeakMap|WeakSet|WeakRef|Promise|RegExp|Error|DataView|SharedArrayBuffer)\]$/;
/** The encoders say where something nests deeper, or in a circle. */
const MAX_DEPTH = 128;

/**
 * Refuses what JSON would silently make something else of: NaN and infinities, `undefined` in an array, Map, Set,
 * DataView and the like. Members that are `undefined` or functions are left out, as JSON does; an object with `toJSON`
 * speaks for itself.
 * @throws {FanfareClientError} `bad_request`, which names the value
 */
export function checkData(data: unknown): void {
  const found = findNoData(data, 'data', 0);
  if (found) throw new FanfareClientError('bad_request', `${found}, which is no data`);
}

function findNoData(value: unknown, path: string, depth: number): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (value === undefined || ['function', 'symbol', 'bigint'].includes(typeof value)) {
    return `${path} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  }
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined;
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return undefined;
  if (value instanceof Date && Number.isNaN(value.getTime())) return `${path} is an invalid Date`;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined;
  if (ArrayBuffer.isView(value) || NO_DATA.test(Object.prototype.toString.call(value))) {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    return `${path} is ${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
  }
  const isList = Array.isArray(value);
  const members: readonly (readonly [string | number, unknown])[] = isList
    ? Array.from(value, (member, index) => [index, member] as const)
    : Object.entries(value);
  for (const [name, member] of members) {
    if (!isList && (member === undefined || typeof member === 'function' || typeof member === 'symbol')) continue;
    const found = findNoData(member, isList ? `${path}[${name}]` : `${path}.${name}`, depth + 1);
    if (found) return found;
  }
  return undefined;
}
