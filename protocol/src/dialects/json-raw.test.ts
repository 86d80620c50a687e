import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Payload } from '../payload.js';
import { MalformedFrameError } from './dialect.js';
import { jsonRawDialect, parsePublishBody } from './json-raw.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (wire: Uint8Array | string | undefined) =>
  typeof wire === 'string' ? wire : new TextDecoder().decode(wire);
const dataOf = (frame: string) => text(jsonRawDialect.decodeRaw(bytes(frame)).payload?.bytes);
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

/** JSON text of any value, with white space, escapes and duplicate keys that `JSON.stringify` never writes. */
const jsonText = fc.letrec<{ value: string; space: string; string: string }>((tie) => ({
  space: fc.constantFrom('', '', ' ', '\n\t', '\r '),
  string: fc.oneof(
    fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
    fc.constantFrom('"\\\\"', '"\\""', '"]}"', '"\\u0064ata"', '"data"', '"a\\\\\\""', '"{["', '"\\/"'),
  ),
  value: fc.oneof(
    { maxDepth: 4 },
    tie('string'),
    fc.constantFrom('0', '-0', '1.0', '1e400', '-1.50E+3', '12345678901234567890', 'true', 'false', 'null'),
    fc
      .tuple(fc.array(tie('value'), { maxLength: 4 }), tie('space'))
      .map(([items, s]) => `[${s}${items.join(`${s},${s}`)}${s}]`),
    fc
      .tuple(fc.array(fc.tuple(tie('string'), tie('value')), { maxLength: 4 }), tie('space'))
      .map(([members, s]) => `{${s}${members.map(([k, v]) => `${k}${s}:${s}${v}`).join(`${s},${s}`)}${s}}`),
  ),
})).value;

describe('reading a JSON frame raw', () => {
  it('keeps the text of data to the letter and everything else as fields', () => {
    fc.assert(
      fc.property(jsonText, jsonText, fc.boolean(), (data, other, last) => {
        const member = `"data": ${data}`;
        const extra = `"other" :${other} , "id":5`;
        const frame = jsonRawDialect.decodeRaw(bytes(last ? `{${extra},${member}\n}` : ` {${member} ,${extra}}`));
        expect(text(frame.payload?.bytes)).toBe(data);
        expect(frame.fields).toEqual({ other: JSON.parse(other), id: 5 });
        expect(Object.hasOwn(frame.fields, 'data')).toBe(false);
      }),
    );
  });

  it('finds data whose key is spelled with escapes, and takes the last of two', () => {
    expect(dataOf('{"d\\u0061ta":1}')).toBe('1');
    expect(dataOf('{"data":1,"data":[2]}')).toBe('[2]');
  });

  it('does not mistake a nested data for the frame’s own', () => {
    expect(jsonRawDialect.decodeRaw(bytes('{"tags":{"data":1},"x":"\\"data\\":2"}')).payload).toBeUndefined();
  });

  it('copies what it keeps of the bytes, which are lent', () => {
    for (const data of ['"short"', `"${'long'.repeat(50)}"`, `"${'longer'.repeat(2000)}"`]) {
      const wire = Buffer.from(`{"data":${data}}`);
      const { payload } = jsonRawDialect.decodeRaw(wire);
      wire.fill(0);
      expect(text(payload?.bytes)).toBe(data);
    }
  });

  it('takes data nested 128 deep and refuses 129, telling the id', () => {
    expect(dataOf(`{"data":${nested(128)}}`)).toBe(nested(128));
    const deep = () => jsonRawDialect.decodeRaw(bytes(`{"data":${nested(129)},"id":9}`));
    expect(deep).toThrow(expect.objectContaining({ name: 'MalformedFrameError', id: 9 }));
    expect(() => dataOf(`{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).toThrow(MalformedFrameError);
  });

  it('passes binary on as it is spelled and refuses what is no base64', () => {
    expect(dataOf('{"data":{"\\u0024binary" : "aGk="}}')).toBe('{"\\u0024binary" : "aGk="}');
    expect(() => dataOf('{"data":{"\\u0024binary":"a"}}')).toThrow(MalformedFrameError);
    expect(() => dataOf('{"data":{"$binary":5}}')).toThrow(MalformedFrameError);
  });
});

describe('a field that is not known', () => {
  const odd = [`{"$binary":5}`, `[{"\\u0024binary":"?"}]`, `{"a":{"$binary":"a"}}`, nested(1_000)];

  it.each(odd)('may hold anything: %.30s', (value) => {
    const frame = `{"type":"publish","odd":${value},"data":{"$binary":"aGk="}}`;
    expect(dataOf(frame)).toBe('{"$binary":"aGk="}');
    expect(jsonRawDialect.decodeRaw(bytes(frame)).fields).toEqual({ type: 'publish', odd: JSON.parse(value) });
    expect(jsonRawDialect.decode(frame)).toMatchObject({ data: new Uint8Array([0x68, 0x69]), odd: JSON.parse(value) });
    const { messages } = parsePublishBody(bytes(`{"odd":${value},"messages":[{"odd":${value},"data":1}]}`));
    expect(messages?.map((item) => 'payload' in item && text(item.payload?.bytes))).toEqual(['1']);
  });
});

describe('reading a publish body', () => {
  const read = (body: string) => parsePublishBody(bytes(body));

  it('reads one message', () => {
    const { fields, payload, messages } = read('{"channel":"a","data":{"n":1.0},"tags":{"x":"é"}}');
    expect(fields).toEqual({ channel: 'a', tags: { x: 'é' } });
    expect(text(payload?.bytes)).toBe('{"n":1.0}');
    expect(messages).toBeUndefined();
  });

  it('reads a batch, each item with its own data or its own error', () => {
    const { fields, messages } = read(
      `{"x":1,"messages":[{"channel":"a","data": 1.0 },{"data":{"$binary":"?"}},7,{"channel":"b"},{"data":${nested(129)}},[{}]]}`,
    );
    expect(fields).toEqual({ x: 1 });
    expect(
      messages?.map((item) =>
        item instanceof MalformedFrameError ? 'refused' : [item.fields, text(item.payload?.bytes)],
      ),
    ).toEqual([[{ channel: 'a' }, '1.0'], 'refused', 'refused', [{ channel: 'b' }, ''], 'refused', 'refused']);
  });

  it('cuts every item’s data to the letter', () => {
    fc.assert(
      fc.property(fc.array(jsonText, { maxLength: 6 }), fc.constantFrom('', ' ', '\n'), (datas, s) => {
        const items = datas.map((data, i) => `{${s}"channel":"${i}",${s}"data":${s}${data}${s}}`);
        const { messages } = read(`{"messages":${s}[${s}${items.join(`${s},`)}${s}]}`);
        expect(messages?.map((item) => 'payload' in item && text(item.payload?.bytes))).toEqual(datas);
      }),
    );
  });

  it('leaves messages that is no list among the fields', () => {
    expect(read('{"messages":{"0":{}}}')).toMatchObject({ fields: { messages: { 0: {} } }, messages: undefined });
  });

  it('takes the last of duplicate lists, as JSON.parse does', () => {
    for (const first of ['[{"data":1},{"data":2},{"data":3}]', '[]', '5', '[[1],"x"]']) {
      const { messages } = read(`{"messages":${first},"messages":[{"data":9}]}`);
      expect(messages?.map((item) => 'payload' in item && text(item.payload?.bytes))).toEqual(['9']);
    }
    expect(read('{"messages":[{"data":1}],"messages":5}').messages).toBeUndefined();
  });

  it.each(['', '[]', '{"data":', '{"data":{"$binary":"?"}}', `{"data":${nested(129)}}`])('refuses %.20s', (body) => {
    expect(() => read(body)).toThrow(MalformedFrameError);
  });
});

describe('writing messages', () => {
  const data: Payload = { format: 'json', bytes: bytes('{ "n":1.0 }') };
  const time = 1763800000000;

  it('splices the payload and writes only what is there', () => {
    expect(text(jsonRawDialect.encodeRaw({ type: 'message', channel: 'a"b', offset: undefined, data, time }))).toBe(
      '{"type":"message","channel":"a\\"b","data":{ "n":1.0 },"time":1763800000000}',
    );
    expect(
      text(
        jsonRawDialect.encodeRaw({
          type: 'message',
          channel: 'é',
          offset: 0,
          data,
          time,
          user: 'ü',
          key: 'k',
          tags: { a: '"' },
        }),
      ),
    ).toBe(
      '{"type":"message","channel":"é","offset":0,"data":{ "n":1.0 },"time":1763800000000,"user":"ü","key":"k","tags":{"a":"\\""}}',
    );
  });

  it('quotes words as JSON.stringify does, whatever they hold', () => {
    const word = fc.oneof(fc.string({ unit: 'binary', maxLength: 50 }), fc.string({ maxLength: 50 }));
    fc.assert(
      fc.property(word, word, (channel, user) => {
        const wire = text(jsonRawDialect.encodeRaw({ type: 'message', channel, data, time, user }));
        const [q, u] = [channel, user].map((one) => new TextDecoder().decode(bytes(JSON.stringify(one))));
        expect(wire).toBe(`{"type":"message","channel":${q},"data":{ "n":1.0 },"time":${time},"user":${u}}`);
      }),
    );
  });

  it('writes history items with their epoch', () => {
    const messages = [
      { epoch: '17', offset: 1, data, time },
      { epoch: '18', offset: 2, data, time },
    ];
    const reply = { type: 'history', id: 5, channel: 'a' } as const;
    const head = { epoch: '18', offset: 2 };
    expect(text(jsonRawDialect.encodeRaw({ ...reply, messages, more: true, head }))).toBe(
      '{"type":"history","id":5,"channel":"a","messages":[' +
        '{"epoch":"17","offset":1,"data":{ "n":1.0 },"time":1763800000000},' +
        '{"epoch":"18","offset":2,"data":{ "n":1.0 },"time":1763800000000}],"more":true,"head":{"epoch":"18","offset":2}}',
    );
    expect(text(jsonRawDialect.encodeRaw({ ...reply, messages: [], more: false, head }))).toContain(
      '"messages":[],"more":false,"head":{',
    );
  });

  it('never hands out bytes that a later frame overwrites', () => {
    const sizes = fc.array(fc.nat(20_000), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(sizes, (lengths) => {
        const frames = lengths.map((length) => {
          const payload = { format: 'json' as const, bytes: bytes(JSON.stringify('x'.repeat(length))) };
          return jsonRawDialect.encodeRaw({ type: 'message', channel: 'a', data: payload, time: length });
        });
        frames.forEach((frame, i) => {
          expect(JSON.parse(text(frame))).toMatchObject({ data: 'x'.repeat(lengths[i] as number), time: lengths[i] });
        });
      }),
      { numRuns: 30 },
    );
  });
});
