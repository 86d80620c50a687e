import type { Payload, PayloadFormat } from '../payload.js';
import { encodeUtf8 } from '../utf8.js';
import { reviveBinary, spellBinary } from './binary.js';
import { parseJson, readText } from './json.js';
import { decodeMsgpack } from './msgpack-reader.js';
import { encodeMsgpack } from './msgpack-writer.js';

/**
 * A payload in another format: the same data, or the payload itself if it has that format already. Binary becomes
 * `{"$binary": base64}` and back. Numbers go through an IEEE double: integers beyond 2^53 lose precision, and a JSON
 * number beyond the range of a double becomes null. Half a surrogate pair, which JSON can escape, becomes U+FFFD in
 * MessagePack.
 * @throws {MalformedFrameError} if the bytes are not what the format of the payload says
 */
export function transcode(payload: Payload, format: PayloadFormat): Payload {
  if (payload.format === format) return payload;
  return format === 'json'
    ? { format, bytes: encodeUtf8(JSON.stringify(decodeMsgpack(payload.bytes), spellBinary)) }
    : { format, bytes: encodeMsgpack(reviveBinary(parseJson(readText(payload.bytes)))) };
}
