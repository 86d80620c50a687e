/**
 * The packed record: the entry of a log and the push of it are the same bytes. The gateway packs the body. The header
 * is put before it by whoever gives the message its position, which is the publish script
 * (`struct.pack('>BI8I8I8', …)`).
 *
 *     header  u8 version = 1 | u64be epoch | u64be offset | u64be time, ms
 *     body    u8 format (0 json, 1 msgpack) | u8 flags (1 user, 2 key, 4 tags, 8 extensions)
 *             [u16be length, UTF-8 user] [u16be length, UTF-8 key] [u16be length, tags as JSON text]
 *             [u16be length, for each extension: u8 kind | u16be length | bytes]
 *             payload verbatim, to the end
 *
 * What may change without a new version: there may be new kinds of extensions, which readers that do not know them pass
 * over, and flags beyond 8, which add no bytes and which readers ignore. Everything that has bytes of its own is an
 * extension. docs/REDIS.md ("Versions") says how gateways of two versions live on one log.
 *
 * A push is one record, or, where several records were stored together, all of them:
 *
 *     push    u8 version = 2 | for each: u32be length, record
 */
import type { Tags } from '@fanfare/protocol';
import { FanfareError } from '../errors.js';
import type { Extension, LogPosition, LogRecord, NewMessage } from './record.js';

const RECORD_VERSION = 1;
export const RECORD_HEADER_BYTES = 25;
const BODY_PREFIX_BYTES = 2;
const PUSH_VERSION = 2;
const PUSH_LENGTH_BYTES = 4;
const LENGTH_BYTES = 2;
/** Most bytes of the user, the key, the JSON text of the tags, and all extensions; each of these by itself. */
const MAX_FIELD_BYTES = 0xffff;

const HAS_USER = 1;
const HAS_KEY = 2;
const HAS_TAGS = 4;
const HAS_EXTENSIONS = 8;
/** Bytes of the kind and the length before each extension. */
const EXTENSION_PREFIX_BYTES = 3;

const TWO_32 = 0x1_0000_0000;

/** The bytes are no record, or a record of a version that this gateway does not know. */
export class MalformedRecordError extends Error {
  override readonly name = 'MalformedRecordError';
}

/** @throws {FanfareError} `too_large` if user, key, tags (as JSON text) or extensions are longer than 65,535 bytes. */
export function encodeBody(message: NewMessage): Buffer {
  const { user, key, extensions, payload } = message;
  const tags = tagsText(message.tags);
  const body = Buffer.allocUnsafe(bodyBytes(message, tags));
  body[0] = payload.format === 'json' ? 0 : 1;
  body[1] =
    (user === undefined ? 0 : HAS_USER) |
    (key === undefined ? 0 : HAS_KEY) |
    (tags === undefined ? 0 : HAS_TAGS) |
    (extensions === undefined ? 0 : HAS_EXTENSIONS);
  let at = BODY_PREFIX_BYTES;
  if (user !== undefined) at = writeField(body, at, user);
  if (key !== undefined) at = writeField(body, at, key);
  if (tags !== undefined) at = writeField(body, at, tags);
  if (extensions !== undefined) at = writeExtensions(body, at, extensions);
  body.set(payload.bytes, at);
  return body;
}

/** How many bytes the record of this message has. @throws {FanfareError} as `encodeBody`. */
export function recordSize(message: NewMessage): number {
  return RECORD_HEADER_BYTES + bodyBytes(message, tagsText(message.tags));
}

/** Packs a record: a header before a body of `encodeBody`. Epoch, offset and time are integers below 2^53. */
export function encodeRecord(position: LogPosition, timeMs: number, body: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + body.length);
  record[0] = RECORD_VERSION;
  writeU64(record, 1, position.epoch);
  writeU64(record, 9, position.offset);
  writeU64(record, 17, timeMs);
  record.set(body, RECORD_HEADER_BYTES);
  return record;
}

/** Unpacks a record. Its payload is a view of `bytes`, not a copy. @throws {MalformedRecordError} */
export function decodeRecord(bytes: Buffer): LogRecord {
  if (bytes[0] !== RECORD_VERSION && bytes.length > 0) {
    throw new MalformedRecordError(`record version ${bytes[0]} is not known, only ${RECORD_VERSION} is`);
  }
  if (bytes.length < RECORD_HEADER_BYTES + BODY_PREFIX_BYTES) {
    throw new MalformedRecordError(`record of ${bytes.length} bytes is cut short`);
  }
  const format = bytes[RECORD_HEADER_BYTES] as number;
  const flags = bytes[RECORD_HEADER_BYTES + 1] as number;
  if (format > 1) throw new MalformedRecordError(`record has unknown format ${format}`);
  let at = RECORD_HEADER_BYTES + BODY_PREFIX_BYTES;
  const skip = (): number => {
    const start = at + LENGTH_BYTES;
    const end = start <= bytes.length ? start + bytes.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new MalformedRecordError('record ends inside a field');
    at = end;
    return start;
  };
  const next = (): string => {
    const start = skip();
    return bytes.toString('utf8', start, at);
  };
  const user = flags & HAS_USER ? next() : undefined;
  const key = flags & HAS_KEY ? next() : undefined;
  const tags = flags & HAS_TAGS ? parseTags(next()) : undefined;
  const extensions = flags & HAS_EXTENSIONS ? parseExtensions(bytes, skip(), at) : undefined;
  return {
    epoch: readU64(bytes, 1),
    offset: readU64(bytes, 9),
    time: readU64(bytes, 17),
    user,
    key,
    tags,
    extensions,
    payload: { format: format === 0 ? 'json' : 'msgpack', bytes: bytes.subarray(at) },
    size: bytes.length,
  };
}

/** Packs one push of these records. There has to be at least one. */
export function encodePush(records: readonly Buffer[]): Buffer {
  if (records.length === 1) return records[0] as Buffer;
  let bytes = 1;
  for (const record of records) bytes += PUSH_LENGTH_BYTES + record.length;
  const push = Buffer.allocUnsafe(bytes);
  push[0] = PUSH_VERSION;
  let at = 1;
  for (const record of records) {
    at = push.writeUInt32BE(record.length, at);
    push.set(record, at);
    at += record.length;
  }
  return push;
}

/** The records of a push, each as `decodeRecord` takes it. @throws {MalformedRecordError} if it ends inside one */
export function splitPush(bytes: Buffer): readonly Buffer[] {
  if (bytes[0] !== PUSH_VERSION) return [bytes];
  const records: Buffer[] = [];
  for (let at = 1; at < bytes.length; ) {
    const begin = at + PUSH_LENGTH_BYTES;
    const end = begin <= bytes.length ? begin + bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new MalformedRecordError('push ends inside a record');
    records.push(bytes.subarray(begin, end));
    at = end;
  }
  return records;
}

/**
 * The records of a page, oldest first. A record that cannot be read (because of another writer or an unknown version)
 * counts as trimmed, and so does everything before it: whoever needs it is told `expired`.
 */
export function decodeRecords(page: readonly Buffer[]): LogRecord[] {
  let records: LogRecord[] = [];
  for (const bytes of page) {
    try {
      records.push(decodeRecord(bytes));
    } catch (error) {
      if (!(error instanceof MalformedRecordError)) throw error;
      records = [];
    }
  }
  return records;
}

function tagsText(tags: Tags | undefined): string | undefined {
  return tags === undefined ? undefined : JSON.stringify(tags);
}

function bodyBytes({ user, key, extensions, payload }: NewMessage, tags: string | undefined): number {
  let bytes = BODY_PREFIX_BYTES + payload.bytes.length;
  if (user !== undefined) bytes += fieldBytes('user', user);
  if (key !== undefined) bytes += fieldBytes('key', key);
  if (tags !== undefined) bytes += fieldBytes('tags', tags);
  if (extensions !== undefined) bytes += LENGTH_BYTES + extensionsBytes(extensions);
  return bytes;
}

function extensionsBytes(extensions: readonly Extension[]): number {
  const bytes = extensions.reduce((sum, extension) => sum + EXTENSION_PREFIX_BYTES + extension.bytes.length, 0);
  if (bytes > MAX_FIELD_BYTES) throw new FanfareError('too_large', `extensions over ${MAX_FIELD_BYTES} bytes`);
  return bytes;
}

/** Writes the extension block at `start`. Returns where the payload begins. */
function writeExtensions(body: Buffer, start: number, extensions: readonly Extension[]): number {
  let at = body.writeUInt16BE(extensionsBytes(extensions), start);
  for (const { kind, bytes } of extensions) {
    at = body.writeUInt8(kind, at);
    at = body.writeUInt16BE(bytes.length, at);
    body.set(bytes, at);
    at += bytes.length;
  }
  return at;
}

/** The extensions in `bytes` from `at` to `end`, of whatever kind. Their bytes are views, not copies. */
function parseExtensions(bytes: Buffer, at: number, end: number): Extension[] {
  const extensions: Extension[] = [];
  while (at < end) {
    const start = at + EXTENSION_PREFIX_BYTES;
    const next = start <= end ? start + bytes.readUInt16BE(at + 1) : Number.POSITIVE_INFINITY;
    if (next > end) throw new MalformedRecordError('extensions end inside one');
    extensions.push({ kind: bytes[at] as number, bytes: bytes.subarray(start, next) });
    at = next;
  }
  return extensions;
}

function fieldBytes(name: string, text: string): number {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FIELD_BYTES) throw new FanfareError('too_large', `${name} over ${MAX_FIELD_BYTES} bytes`);
  return LENGTH_BYTES + bytes;
}

/** Writes a text with its length before it. Returns where the next field begins. */
function writeField(body: Buffer, at: number, text: string): number {
  const length = body.write(text, at + LENGTH_BYTES);
  body.writeUInt16BE(length, at);
  return at + LENGTH_BYTES + length;
}

function parseTags(text: string): Tags {
  let tags: unknown;
  try {
    tags = JSON.parse(text);
  } catch (cause) {
    throw new MalformedRecordError('tags of the record are not JSON', { cause });
  }
  if (!isTags(tags)) throw new MalformedRecordError('tags of the record are not strings');
  return tags;
}

function isTags(value: unknown): value is Tags {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'string')
  );
}

function writeU64(target: Buffer, at: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / TWO_32), at);
  target.writeUInt32BE(value % TWO_32, at + 4);
}

function readU64(source: Buffer, at: number): number {
  const value = source.readUInt32BE(at) * TWO_32 + source.readUInt32BE(at + 4);
  if (value > Number.MAX_SAFE_INTEGER) throw new MalformedRecordError('record holds a number of 2^53 or more');
  return value;
}
