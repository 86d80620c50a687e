import { describe, expect, it } from 'vitest';
import type { Payload } from '../payload.js';
import { MalformedFrameError } from './dialect.js';
import { decodeMsgpack } from './msgpack-reader.js';
import { encodeMsgpack } from './msgpack-writer.js';
import { transcode } from './transcode.js';

const json = (text: string): Payload => ({ format: 'json', bytes: new TextEncoder().encode(text) });
const msgpack = (value: unknown): Payload => ({ format: 'msgpack', bytes: encodeMsgpack(value) });
const toJson = (value: unknown) => new TextDecoder().decode(transcode(msgpack(value), 'json').bytes);
const fromJson = (text: string) => decodeMsgpack(transcode(json(text), 'msgpack').bytes);

describe('transcoding', () => {
  it('gives the same payload back where the format is the same', () => {
    const payload = json(' [1.0] ');
    expect(transcode(payload, 'json')).toBe(payload);
  });

  it('carries every kind of value both ways', () => {
    const value = { s: 'é\u{1f600}', n: [0, -1, 1.5, 2 ** 40], b: [true, false, null], m: { x: {} }, e: [] };
    expect(toJson(value)).toBe(JSON.stringify(value));
    expect(fromJson(JSON.stringify(value))).toEqual(value);
  });

  it('turns binary into its spelling and back', () => {
    expect(toJson([new Uint8Array([1, 2, 3])])).toBe('[{"$binary":"AQID"}]');
    expect(fromJson('[{"\\u0024binary":"AQID"}]')).toEqual([new Uint8Array([1, 2, 3])]);
    expect(fromJson('{"$binary":""}')).toEqual(new Uint8Array(0));
  });

  it('passes numbers through a double', () => {
    expect(fromJson('[9007199254740993, 1e400, -0, 1.0]')).toEqual([9007199254740992, null, 0, 1]);
    const big: Payload = { format: 'msgpack', bytes: new Uint8Array([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1]) };
    expect(new TextDecoder().decode(transcode(big, 'json').bytes)).toBe('9007199254740992');
  });

  it('replaces half a surrogate pair', () => {
    expect(fromJson('"\\ud800"')).toBe('\ufffd');
  });

  it('keeps a __proto__ key', () => {
    expect(JSON.stringify(fromJson('{"__proto__":1,"b":2}'))).toBe('{"__proto__":1,"b":2}');
  });

  it.each(['', '{', '{"$binary":"?"}'])('refuses %j', (text) => {
    expect(() => transcode(json(text), 'msgpack')).toThrow(MalformedFrameError);
  });
});
