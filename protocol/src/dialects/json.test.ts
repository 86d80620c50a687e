import { describe, expect, it } from 'vitest';
import type { Frame } from '../frames.js';
import { MalformedFrameError } from './dialect.js';
import { jsonDialect } from './json.js';

const publish = (data: unknown): Frame => ({ type: 'publish', id: 1, channel: 'a', data });

describe('the JSON dialect', () => {
  it('writes frames as text in the order of their fields and leaves undefined ones out', () => {
    const frame = { type: 'connect', id: 1, token: undefined, client: 'x/1' } as unknown as Frame;
    expect(jsonDialect.encode(frame)).toBe('{"type":"connect","id":1,"client":"x/1"}');
  });

  it('spells binary as base64, wherever it is in the data, and reads it back', () => {
    const data = { file: new Uint8Array([0, 1, 250, 255]), list: [new Uint8Array(0), { deep: Buffer.from('hi') }] };
    const text = jsonDialect.encode(publish(data));
    expect(text).toBe(
      '{"type":"publish","id":1,"channel":"a","data":{"file":{"$binary":"AAH6/w=="},"list":[{"$binary":""},{"deep":{"$binary":"aGk="}}]}}',
    );
    expect(jsonDialect.decode(text).data).toEqual({
      file: new Uint8Array([0, 1, 250, 255]),
      list: [new Uint8Array(0), { deep: new Uint8Array([0x68, 0x69]) }],
    });
  });

  it('takes an ArrayBuffer for binary', () => {
    const text = jsonDialect.encode(publish(new Uint8Array([1, 2, 3]).buffer));
    expect(text).toContain('"data":{"$binary":"AQID"}');
  });

  it('reads binary whose key is spelled with escapes, and whose key is given twice', () => {
    expect(jsonDialect.decode('{"data":{"\\u0024bin\\u0061ry":"aGk="}}').data).toEqual(new Uint8Array([0x68, 0x69]));
    expect(jsonDialect.decode('{"data":{"$binary":1,"$binary":"aGk="}}').data).toEqual(new Uint8Array([0x68, 0x69]));
  });

  it('leaves an object with further keys, and a list, alone', () => {
    expect(jsonDialect.decode('{"data":{"$binary":"aGk=","x":1}}').data).toEqual({ $binary: 'aGk=', x: 1 });
    expect(jsonDialect.decode('{"data":["$binary"]}').data).toEqual(['$binary']);
  });

  it.each(['a', 'aGk', 'aGk=aGk=', '====', 'a===', 'aGk\n', 'a-_=', 'aGk=\u0100', 'äää='])(
    'refuses %j as base64',
    (base64) => {
      const text = JSON.stringify({ id: 7, data: [{ $binary: base64 }] });
      expect(() => jsonDialect.decode(text)).toThrow(expect.objectContaining({ name: 'MalformedFrameError', id: 7 }));
    },
  );

  it('keeps a __proto__ key a key like any other', () => {
    const data = jsonDialect.decode('{"data":{"__proto__":{"$binary":"aGk="},"x":1}}').data as object;
    expect(Object.keys(data)).toEqual(['__proto__', 'x']);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.getOwnPropertyDescriptor(data, '__proto__')?.value).toEqual(new Uint8Array([0x68, 0x69]));
  });

  it.each(['', '{', '[]', '1', 'null', '"x"', '{"$binary":"aGk="}', '\ufeff{}', '{}{}', "{'a':1}"])(
    'refuses %j as a frame',
    (text) => {
      expect(() => jsonDialect.decode(text)).toThrow(MalformedFrameError);
      expect(() => jsonDialect.decode(new TextEncoder().encode(text))).toThrow(MalformedFrameError);
    },
  );

  it('refuses bytes that are not UTF-8', () => {
    expect(() => jsonDialect.decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(MalformedFrameError);
  });
});
