import { badRequest } from './errors.js';

/** Objects that would arrive as `{}`, as `null`, or as an object of numbers. */
const NO_DATA =
  /^((Weak)?(Map|Set|Ref)|Promise|RegExp|Error|DataView|Undefined|BigInt|Symbol|.*Function|Shared.*|(?!Uint8A).+\d.*Array)$/;
/** How deep data is looked at. The encoders report data that nests deeper, or in a circle. */
const MAX_DEPTH = 128;

/**
 * Refuses data that JSON would silently change: NaN and infinities, dates that are none, `undefined` in an array, Map,
 * Set, DataView and the like. Members that are `undefined` or functions are left out, as JSON does. An object with
 * `toJSON` is looked at as what that returns.
 * @throws {FanfareClientError} `bad_request`, which names the value
 */
export function checkData(data: unknown, path = 'data', depth = 0): void {
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  const isNumber = /^(Number|Date)$/.test(kind);
  if (isNumber ? !Number.isFinite(Number(data)) : NO_DATA.test(kind)) {
    throw badRequest(`${path}: ${isNumber ? data : kind} is no data`);
  }
  if (!/^(Object|Array)$/.test(kind) || depth > MAX_DEPTH) return;
  const { toJSON } = data as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    checkData(toJSON.call(data), path, depth + 1);
    return;
  }
  for (const [name, member] of Object.entries(Array.isArray(data) ? [...data] : (data as object))) {
    if (Array.isArray(data)) checkData(member, `${path}[${name}]`, depth + 1);
    else if (!/undefined|function|symbol/.test(typeof member)) checkData(member, `${path}.${name}`, depth + 1);
  }
}
