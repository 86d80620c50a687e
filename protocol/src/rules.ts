/**
 * What fields may hold. There is one rule for each kind of value, used by the frame tables and by the HTTP API. Sizes
 * in bytes are those of UTF-8. Text must be well-formed, without halves of surrogate pairs.
 */
import { isChannelName } from './channel-name.js';
import type { Durability, ReplicasWanted } from './frames.js';
import type { Tags } from './payload.js';
import type { Position } from './position.js';
import { isText, utf8Length } from './utf8.js';

/** Longest idempotency key, bytes. */
export const MAX_KEY_BYTES = 128;
/** Most tags of one message. */
export const MAX_TAGS = 32;
/** Most bytes of all tags of one message, names and values together. */
export const MAX_TAGS_BYTES = 1024;
/** Longest name of a user or a session, bytes. */
export const MAX_NAME_BYTES = 255;
/** Longest epoch, characters. */
export const MAX_EPOCH_LENGTH = 64;
/** Most messages of one `history` reply. */
export const MAX_HISTORY_LIMIT = 1000;

export interface Rule {
  /** The words that complete "<field> must be ...", as in docs/PROTOCOL.md. */
  readonly is: string;
  readonly check: (value: unknown) => boolean;
}

/** The fields of one frame type, without `type` itself. */
export interface FrameShape {
  readonly required: Readonly<Record<string, Rule>>;
  readonly optional: Readonly<Record<string, Rule>>;
}

export type ParsedFrame<Frame> =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false /** The request's, where it is valid. */; readonly id?: number; readonly message: string };

/** What is wrong with the fields; `undefined` if nothing is. Fields that the shape does not name are ignored. */
export function findProblem(fields: Record<string, unknown>, shape: FrameShape): string | undefined {
  for (const name in shape.required) {
    const rule = shape.required[name] as Rule;
    if (!rule.check(fields[name])) return `${name} must be ${rule.is}`;
  }
  for (const name in shape.optional) {
    const rule = shape.optional[name] as Rule;
    if (fields[name] !== undefined && !rule.check(fields[name])) return `${name} must be ${rule.is}`;
  }
  return undefined;
}

export function isRequestId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** Whether the value is an integer from 0 to 2^53 - 1. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY;
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

export function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_EPOCH_LENGTH;
}

export function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, offset } = value as Partial<Position>;
  return isEpoch(epoch) && isCount(offset);
}

export function isKey(value: unknown): value is string {
  return isText(value, MAX_KEY_BYTES);
}

/** Whether the value can be the name of a user or a session. */
export function isName(value: unknown): value is string {
  return isText(value, MAX_NAME_BYTES);
}

export function isTags(value: unknown): value is Tags {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return false;
  const tags = Object.entries(value);
  // This tag is reserved: alone, it would be binary in JSON. It is refused in MessagePack too.
  if (tags.length > MAX_TAGS || (tags.length === 1 && tags[0]?.[0] === '$binary')) return false;
  let bytes = 0;
  for (const [name, text] of tags) {
    if (typeof text !== 'string' || text.length > MAX_TAGS_BYTES) return false;
    bytes += (utf8Length(name) ?? Number.NaN) + (utf8Length(text) ?? Number.NaN);
  }
  return bytes <= MAX_TAGS_BYTES;
}

export function isDurability(value: unknown): value is Durability {
  return value === 'stored' || value === 'replicated';
}

export function isReplicasWanted(value: unknown): value is ReplicasWanted {
  return value === 'all' || (Number.isSafeInteger(value) && (value as number) >= 1);
}

export function isHistoryLimit(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_HISTORY_LIMIT;
}

export const REQUEST_ID: Rule = { is: 'a positive integer', check: isRequestId };
export const CHANNEL: Rule = { is: 'a channel name', check: isChannelName };
export const POSITION: Rule = { is: 'a position', check: isPosition };
export const EPOCH: Rule = { is: 'an epoch', check: isEpoch };
export const COUNT: Rule = { is: 'an integer from 0 on', check: isCount };
export const DURATION: Rule = { is: 'a number from 0 on', check: isDuration };
export const STRING: Rule = { is: 'a string', check: isString };
export const BOOLEAN: Rule = { is: 'a boolean', check: isBoolean };
export const KEY: Rule = { is: `1 to ${MAX_KEY_BYTES} bytes of text`, check: isKey };
export const NAME: Rule = { is: `1 to ${MAX_NAME_BYTES} bytes of text`, check: isName };
export const HISTORY_LIMIT: Rule = { is: `an integer from 1 to ${MAX_HISTORY_LIMIT}`, check: isHistoryLimit };
export const TAGS: Rule = {
  is: `an object of strings, at most ${MAX_TAGS} entries and ${MAX_TAGS_BYTES} bytes`,
  check: isTags,
};
export const DURABILITY: Rule = { is: 'stored or replicated', check: isDurability };
export const REPLICAS_WANTED: Rule = { is: 'an integer from 1 on, or all', check: isReplicasWanted };
