import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogPosition, NewMessage } from './record.js';
import {
  decodeRecord,
  encodeBody,
  encodePush,
  encodeRecord,
  MalformedRecordError,
  RECORD_HEADER_BYTES,
  recordSize,
  splitPush,
} from './record-codec.js';

const position: LogPosition = { epoch: 1_763_800_000_123_456, offset: 42 };
const timeMs = 1_763_800_000_123;

function json(text: string, rest: Partial<NewMessage> = {}): NewMessage {
  return { payload: { format: 'json', bytes: Buffer.from(text) }, ...rest };
}

function pack(message: NewMessage): Buffer {
  return encodeRecord(position, timeMs, encodeBody(message));
}

const text = fc.string({ unit: 'binary', maxLength: 100 });
const integer = fc.maxSafeNat();
const message: fc.Arbitrary<NewMessage> = fc.record(
  {
    payload: fc.record({
      format: fc.constantFrom('json' as const, 'msgpack' as const),
      bytes: fc.uint8Array({ maxLength: 300 }),
    }),
    user: text,
    key: text,
    tags: fc.dictionary(text, text, { noNullPrototype: true }),
    extensions: fc.array(
      fc.record({ kind: fc.integer({ min: 1, max: 255 }), bytes: fc.uint8Array({ maxLength: 50 }) }),
      {
        maxLength: 4,
      },
    ),
  },
  { requiredKeys: ['payload'] },
);

describe('the packed record', () => {
  it('comes back as it was packed, whatever is in it', () => {
    fc.assert(
      fc.property(message, integer, integer, integer, (one, epoch, offset, time) => {
        const record = decodeRecord(encodeRecord({ epoch, offset }, time, encodeBody(one)));
        expect(record).toMatchObject({ epoch, offset, time });
        expect([record.user, record.key, record.tags]).toEqual([one.user, one.key, one.tags]);
        const plain = (extensions = one.extensions) => extensions?.map(({ kind, bytes }) => [kind, ...bytes]);
        expect(record.extensions === undefined ? undefined : plain(record.extensions)).toEqual(plain());
        expect(record.payload.format).toBe(one.payload.format);
        expect(Buffer.compare(record.payload.bytes, one.payload.bytes)).toBe(0);
        expect(record.size).toBe(recordSize(one));
      }),
    );
  });

  it('is laid out byte for byte as documented', () => {
    const header = Buffer.alloc(25);
    header[0] = 1;
    header.writeBigUInt64BE(BigInt(position.epoch), 1);
    header.writeBigUInt64BE(BigInt(position.offset), 9);
    header.writeBigUInt64BE(BigInt(timeMs), 17);
    const body = Buffer.concat([
      Buffer.from([0, 7]),
      Buffer.from([0, 2]),
      Buffer.from('u1'),
      Buffer.from([0, 2]),
      Buffer.from('é'),
      Buffer.from([0, 9]),
      Buffer.from('{"a":"b"}'),
      Buffer.from('{"n": 1}'),
    ]);
    const packed = pack(json('{"n": 1}', { user: 'u1', key: 'é', tags: { a: 'b' } }));
    expect(packed.subarray(RECORD_HEADER_BYTES)).toEqual(body);
    expect(packed).toEqual(Buffer.concat([header, body]));
  });

  it('gives the payload as a view, not a copy', () => {
    const packed = pack(json('"x"'));
    const { bytes } = decodeRecord(packed).payload;
    expect(bytes.buffer).toBe(packed.buffer);
    packed[packed.length - 2] = 0x79;
    expect(Buffer.from(bytes).toString()).toBe('"y"');
  });

  it('keeps empty fields apart from absent ones', () => {
    expect(decodeRecord(pack(json('', { user: '', tags: {} })))).toMatchObject({ user: '', key: undefined, tags: {} });
  });

  it('keeps a tag named __proto__ as a tag', () => {
    const tags = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    expect(Object.entries(decodeRecord(pack(json('1', { tags }))).tags ?? {})).toEqual([['__proto__', 'x']]);
  });

  it('refuses fields that its lengths cannot say', () => {
    const largest = 'x'.repeat(0xffff);
    expect(decodeRecord(pack(json('1', { user: largest }))).user).toBe(largest);
    for (const rest of [{ user: `${largest}x` }, { key: `${largest}x` }, { tags: { a: largest } }]) {
      expect(() => encodeBody(json('1', rest))).toThrow(expect.objectContaining({ code: 'too_large' }));
      expect(() => recordSize(json('1', rest))).toThrow(expect.objectContaining({ code: 'too_large' }));
    }
  });
});

describe('bytes that are no record', () => {
  it('are refused when cut short anywhere before the payload', () => {
    const packed = pack(json('', { user: 'u1', key: 'k', tags: { a: 'b' } }));
    expect(decodeRecord(packed).payload.bytes.length).toBe(0);
    for (let length = 0; length < packed.length; length++) {
      expect(() => decodeRecord(packed.subarray(0, length))).toThrow(MalformedRecordError);
    }
  });

  it('are refused by name when of another version', () => {
    const packed = pack(json('1'));
    packed[0] = 2;
    expect(() => decodeRecord(packed)).toThrow('record version 2 is not known');
  });

  it.each([
    ['an unknown format', RECORD_HEADER_BYTES, 2],
    ['an epoch of 2^53 or more', 1, 0xff],
    ['an offset of 2^53 or more', 9, 0x20],
    ['a time of 2^53 or more', 17, 0x20],
  ])('are refused with %s', (_name, at, byte) => {
    const packed = pack(json('1'));
    packed[at] = byte;
    expect(() => decodeRecord(packed)).toThrow(MalformedRecordError);
  });

  it.each(['nonsense', '[]', '"text"', 'null', '{"a":1}'])('are refused with tags %s', (tags) => {
    const body = Buffer.concat([Buffer.from([0, 4, 0, tags.length]), Buffer.from(tags), Buffer.from('1')]);
    expect(() => decodeRecord(encodeRecord(position, timeMs, body))).toThrow(MalformedRecordError);
  });

  it('end in an error or a record, never in anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
        const bytes = Buffer.from(noise);
        if (bytes.length > 0) bytes[0] = 1;
        try {
          decodeRecord(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedRecordError);
        }
      }),
    );
  });
});

describe('a push', () => {
  const records = ['a', 'bb', 'ccc'].map((text, i) =>
    encodeRecord(
      { epoch: 7, offset: i + 1 },
      9,
      encodeBody({ payload: { format: 'json', bytes: Buffer.from(`"${text}"`) } }),
    ),
  );

  it('is the record itself where there is one, and holds several in order', () => {
    expect(encodePush(records.slice(0, 1))).toBe(records[0]);
    expect(splitPush(records[0] as Buffer)).toEqual([records[0]]);
    expect(splitPush(encodePush(records))).toEqual(records);
  });

  it('that is cut short anywhere is no push', () => {
    const push = encodePush(records);
    for (let end = 2; end < push.length; end++) {
      const cut = () => splitPush(push.subarray(0, end));
      const isBorder =
        end === 5 + (records[0] as Buffer).length ||
        end === 9 + (records[0] as Buffer).length + (records[1] as Buffer).length;
      if (isBorder) expect(cut().length).toBeLessThan(3);
      else expect(cut).toThrow(MalformedRecordError);
    }
  });
});
