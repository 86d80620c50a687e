import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../frames.js';
import { MalformedFrameError } from './dialect.js';
import { msgpackDialect } from './msgpack.js';
import { msgpackRawDialect } from './msgpack-raw.js';
import { decodeMsgpack } from './msgpack-reader.js';
import { encodeMsgpack } from './msgpack-writer.js';

/** Another implementation, to compare with. */
const other = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', variableMapSize: true });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

const isReserved = (map: object) => Object.keys(map).length === 1 && Object.hasOwn(map, '$binary');
const keys = fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__');
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.integer({ min: -70_000, max: 70_000 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 20, noNullPrototype: true }).filter((map) => !isReserved(map)),
  ),
})).value;

describe('MessagePack', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decodeMsgpack(encodeMsgpack(value))).toEqual(value);
      }),
    );
  });

  it('is read by another implementation, and reads it', () => {
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
    fc.assert(
      fc.property(values, (value) => {
        expect(plain(other.unpack(encodeMsgpack(value)))).toEqual(plain(value));
        expect(plain(decodeMsgpack(other.pack(value)))).toEqual(plain(value));
      }),
    );
  });

  it.each([
    [0, '00'],
    [-0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [4_294_967_295, 'ceffffffff'],
    [4_294_967_296, 'cf0000000100000000'],
    [1_763_800_000_000, 'cf0000019aaaac2600'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [Number.MAX_SAFE_INTEGER + 1, 'cb4340000000000000'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-2_147_483_648, 'd280000000'],
    [-2_147_483_649, 'd3ffffffff7fffffff'],
    [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
    [1.5, 'cb3ff8000000000000'],
    [Number.NaN, 'c0'],
    [Number.NEGATIVE_INFINITY, 'c0'],
  ])('writes %d as %s', (value, bytes) => {
    expect(hex(encodeMsgpack(value))).toBe(bytes);
  });

  it.each([
    [31, 'bf'],
    [32, 'd920'],
    [255, 'd9ff'],
    [256, 'da0100'],
    [65_535, 'daffff'],
    [65_536, 'db00010000'],
  ])('writes a string of %d bytes behind %s', (length, header) => {
    const expected = header + '78'.repeat(length);
    expect(hex(encodeMsgpack('x'.repeat(length)))).toBe(expected);
    const wide = 'é'.repeat(Math.floor(length / 2)) + 'x'.repeat(length % 2);
    expect(hex(encodeMsgpack(wide)).startsWith(header)).toBe(true);
    expect(decodeMsgpack(encodeMsgpack(wide))).toBe(wide);
  });

  it.each([15, 16, 65_535, 65_536])('writes and reads %d elements, members and bytes', (size) => {
    const list = new Array(size).fill(1);
    const map = Object.fromEntries(list.map((_, i) => [`k${i}`, i]));
    for (const value of [list, map])
      expect(JSON.stringify(decodeMsgpack(encodeMsgpack(value)))).toBe(JSON.stringify(value));
    expect((decodeMsgpack(encodeMsgpack(new Uint8Array(size))) as Uint8Array).length).toBe(size);
  });

  it('leaves out, nulls and converts what JSON does', () => {
    const value = {
      a: undefined,
      b: [undefined, Symbol('s'), () => 1],
      c: () => 1,
      d: new Date(0),
      e: new Map([[1, 2]]),
    };
    expect(decodeMsgpack(encodeMsgpack(value))).toEqual(JSON.parse(JSON.stringify(value)));
    expect(() => encodeMsgpack(1n)).toThrow(TypeError);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => encodeMsgpack(cycle)).toThrow(TypeError);
  });

  it('survives a toJSON that encodes', () => {
    const inner = { toJSON: () => hex(encodeMsgpack({ x: 'inner' })) };
    expect(decodeMsgpack(encodeMsgpack(['before', inner, 'after']))).toEqual(['before', '81a178a5696e6e6572', 'after']);
  });

  it('keeps a __proto__ key a key like any other', () => {
    const map = decodeMsgpack(unhex('81 a9 5f5f70726f746f5f5f 81 a178 01')) as object;
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect(JSON.stringify(map)).toBe('{"__proto__":{"x":1}}');
    expect(hex(encodeMsgpack(map))).toBe('81a95f5f70726f746f5f5f81a17801');
  });

  it.each([
    ['nothing', ''],
    ['two values', 'c0c0'],
    ['the unused byte', 'c1'],
    ['a string cut short', 'a5 6869'],
    ['a number cut short', 'cd 01'],
    ['a list that claims 2^32-1 elements', 'dd ffffffff c0'],
    ['a map that claims 2^32-1 members', 'df ffffffff a1 61 c0'],
    ['a map that claims more than its bytes', '82 a161 c0'],
    ['binary that claims 2^32-1 bytes', 'c6 ffffffff 00'],
    ['a string that claims 2^32-1 bytes', 'db ffffffff 78'],
    ['an extension', 'c7 01 05 00'],
    ['a timestamp', 'd6 ff 00000000'],
    ['a map with a number as key', '81 01 01'],
    ['a map with nil as key', '81 c0 01'],
    ['a map with a list as key', '81 90 01'],
    ['NaN', 'cb 7ff8000000000000'],
    ['infinity', 'ca 7f800000'],
    ['a short string that is not UTF-8', 'a1 ff'],
    ['a long string that is not UTF-8', `d9 28 ${'78'.repeat(39)} c3`],
    ['a surrogate in UTF-8', 'a3 eda080'],
    ['a map with $binary as its only key', '81 a7 2462696e617279 a0'],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeMsgpack(unhex(bytes))).toThrow(MalformedFrameError);
  });

  it('takes 128 levels and refuses more', () => {
    expect(decodeMsgpack(unhex(`${'91'.repeat(127)}90`))).toBeDefined();
    expect(() => decodeMsgpack(unhex(`${'91'.repeat(128)}90`))).toThrow(MalformedFrameError);
    expect(() => decodeMsgpack(unhex(`${'81a161'.repeat(200_000)}c0`))).toThrow(MalformedFrameError);
  });
});

describe('the MessagePack dialect', () => {
  it('refuses text and whatever is no map', () => {
    expect(() => msgpackDialect.decode('{}')).toThrow(MalformedFrameError);
    for (const value of [[], 1, null, 'x', new Uint8Array(2)]) {
      expect(() => msgpackDialect.decode(encodeMsgpack(value))).toThrow(MalformedFrameError);
      expect(() => msgpackRawDialect.decodeRaw(encodeMsgpack(value))).toThrow(MalformedFrameError);
    }
  });

  it('keeps the bytes of data to the letter and everything else as fields', () => {
    fc.assert(
      fc.property(values, values, (data, extra) => {
        const wire = msgpackDialect.encode({
          type: 'publish',
          id: 5,
          channel: 'a',
          data,
          extra,
        } as Frame) as Uint8Array;
        const { fields, payload } = msgpackRawDialect.decodeRaw(wire);
        expect(payload).toEqual({ format: 'msgpack', bytes: new Uint8Array(encodeMsgpack(data)) });
        expect(fields).toEqual({ type: 'publish', id: 5, channel: 'a', extra });
      }),
    );
  });

  it('keeps data in a longer form than ours', () => {
    const frame = unhex('81 a4 64617461 cf 0000000000000001');
    expect(hex(msgpackRawDialect.decodeRaw(frame).payload?.bytes as Uint8Array)).toBe('cf0000000000000001');
  });

  it('tells the id of a frame whose data is outside the data model, wherever it stands', () => {
    const id = 'a2 6964 07';
    for (const data of ['d6 ff 00000000', 'cb 7ff8000000000000', 'a1 ff', 'c8 0001 05 00', '81 01 02']) {
      for (const frame of [`82 a4 64617461 ${data} ${id}`, `82 ${id} a4 64617461 ${data}`]) {
        const decode = () => msgpackRawDialect.decodeRaw(unhex(frame));
        expect(decode).toThrow(expect.objectContaining({ name: 'MalformedFrameError', id: 7 }));
      }
    }
  });

  it('writes messages that read like those of the JSON dialect', () => {
    const payload = { format: 'msgpack' as const, bytes: encodeMsgpack({ n: new Uint8Array([1]) }) };
    const message = { offset: 42, time: 1763800000000, user: 'u', key: 'k', tags: { a: 'b' }, payload };
    const { payload: data, ...rest } = message;
    const wire = msgpackRawDialect.encodeRaw({ type: 'message', channel: 'a', data, ...rest });
    expect(msgpackDialect.decode(wire)).toEqual({
      type: 'message',
      channel: 'a',
      data: { n: new Uint8Array([1]) },
      ...rest,
    });
    expect(hex(wire as Uint8Array)).toContain('a474696d65cf0000019aaaac2600');
    expect(
      msgpackDialect.decode(msgpackRawDialect.encodeRaw({ type: 'message', channel: 'a', data, time: 1 })),
    ).toEqual({
      type: 'message',
      channel: 'a',
      data: { n: new Uint8Array([1]) },
      time: 1,
    });
    const history = msgpackRawDialect.encodeRaw({
      type: 'history',
      id: 3,
      channel: 'a',
      messages: [{ epoch: '17', data, ...rest }],
      more: false,
      head: { epoch: '17', offset: 1 },
    });
    expect(msgpackDialect.decode(history)).toEqual({
      type: 'history',
      id: 3,
      channel: 'a',
      messages: [{ epoch: '17', data: { n: new Uint8Array([1]) }, ...rest }],
      more: false,
      head: { epoch: '17', offset: 1 },
    });
  });

  it('reads a history reply whose data nests as deep as data may', () => {
    const bytes = unhex(`${'91'.repeat(127)}90`);
    const messages = [{ epoch: '1', offset: 1, data: { format: 'msgpack' as const, bytes }, time: 1 }];
    const wire = msgpackRawDialect.encodeRaw({
      type: 'history',
      id: 1,
      channel: 'a',
      messages,
      more: false,
      head: { epoch: '1', offset: 1 },
    });
    expect(() => msgpackDialect.decode(wire)).not.toThrow();
  });
});
