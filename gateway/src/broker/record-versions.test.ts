/** Gateways of two versions live on one log while a deployment is upgraded. */
import { describe, expect, it } from 'vitest';
import type { NewMessage } from './record.js';
import {
  decodeRecord,
  decodeRecords,
  encodeBody,
  encodePush,
  encodeRecord,
  RECORD_HEADER_BYTES,
  splitPush,
} from './record-codec.js';

const json = (text: string, rest: Partial<NewMessage> = {}): NewMessage => ({
  payload: { format: 'json', bytes: Buffer.from(text) },
  ...rest,
});
const pack = (offset: number, message: NewMessage) => encodeRecord({ epoch: 7, offset }, 9, encodeBody(message));
const unhex = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const textOf = (payload: { bytes: Uint8Array }) => Buffer.from(payload.bytes).toString();

/** What a later gateway may write: kinds that nobody knows yet, and flags that add no bytes. */
function later(offset: number): Buffer {
  const extensions = [
    { kind: 1, bytes: Buffer.from('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01') },
    { kind: 255, bytes: Buffer.alloc(0) },
    { kind: 99, bytes: Buffer.alloc(40_000, 0xee) },
  ];
  const record = pack(offset, json(`"later"`, { user: 'u1', key: 'k', tags: { a: 'b' }, extensions }));
  const flags = RECORD_HEADER_BYTES + 1;
  record[flags] = (record[flags] as number) | 0xf0;
  return record;
}

const HEADER = '01 0000000000000007 0000000000000001 0000000000000009';
/** What the first version wrote, to the byte: every later one reads it. */
const FIRST = {
  plain: unhex(`${HEADER} 00 00 ${Buffer.from('"first"').toString('hex')}`),
  full: unhex(`${HEADER} 01 07 0002 7531 0001 6b 0009 7b2261223a2262227d a178`),
};

describe('an older gateway', () => {
  it('reads in the log of a later one what it knows, and the pages before it', () => {
    const page = decodeRecords([pack(1, json('"a"')), later(2), pack(3, json('"c"')), later(4)]);
    expect(page.map(({ offset, payload }) => [offset, textOf(payload)])).toEqual([
      [1, '"a"'],
      [2, '"later"'],
      [3, '"c"'],
      [4, '"later"'],
    ]);
    expect(page[1]).toMatchObject({ user: 'u1', key: 'k', tags: { a: 'b' } });
  });

  it('reads what a later one pushes, alone and with others', () => {
    expect(splitPush(later(1)).map((one) => decodeRecord(one).offset)).toEqual([1]);
    const together = encodePush([later(1), pack(2, json('2')), later(3)]);
    expect(splitPush(together).map((one) => textOf(decodeRecord(one).payload))).toEqual(['"later"', '2', '"later"']);
  });

  it('passes kinds on to whoever knows them, as views', () => {
    const record = later(1);
    const { extensions = [] } = decodeRecord(record);
    expect(extensions.map(({ kind, bytes }) => [kind, bytes.length])).toEqual([
      [1, 55],
      [255, 0],
      [99, 40_000],
    ]);
    expect(extensions[0]?.bytes.buffer).toBe(record.buffer);
  });
});

describe('a later gateway', () => {
  it('reads what the first version wrote, in the log and as a push', () => {
    for (const read of [decodeRecords([FIRST.plain])[0], decodeRecord(splitPush(FIRST.plain)[0] as Buffer)]) {
      expect(read).toMatchObject({ epoch: 7, offset: 1, time: 9, user: undefined, extensions: undefined });
      expect(textOf(read?.payload as { bytes: Uint8Array })).toBe('"first"');
    }
    const full = decodeRecord(FIRST.full);
    expect(full).toMatchObject({ user: 'u1', key: 'k', tags: { a: 'b' }, payload: { format: 'msgpack' } });
    expect(Buffer.from(full.payload.bytes).toString('hex')).toBe('a178');
    const length = (record: Buffer) => record.length.toString(16).padStart(8, '0');
    const push = `02 ${length(FIRST.plain)} ${FIRST.plain.toString('hex')} ${length(FIRST.full)} ${FIRST.full.toString('hex')}`;
    expect(splitPush(unhex(push))).toEqual([FIRST.plain, FIRST.full]);
  });

  it('writes nothing new for a message that has nothing new', () => {
    const record = encodeRecord({ epoch: 7, offset: 1 }, 9, encodeBody(json('"first"')));
    expect(record.toString('hex')).toBe(FIRST.plain.toString('hex'));
  });
});

describe('extensions', () => {
  it('are laid out as documented, before the payload', () => {
    const body = encodeBody(json('1', { user: 'u', extensions: [{ kind: 2, bytes: Buffer.from('s1') }] }));
    expect(body.toString('hex')).toBe(unhex('00 09 0001 75 0005 02 0002 7331 31').toString('hex'));
  });

  it('that are cut short or overrun their block make no record', () => {
    const record = pack(1, json('', { extensions: [{ kind: 2, bytes: Buffer.from('s1') }] }));
    for (let end = RECORD_HEADER_BYTES + 2; end < record.length; end++)
      expect(() => decodeRecord(record.subarray(0, end))).toThrow('record ends inside a field');
    record[RECORD_HEADER_BYTES + 6] = 9;
    expect(() => decodeRecord(record)).toThrow('extensions end inside one');
  });

  it('are refused where their length cannot be said', () => {
    const extensions = [{ kind: 1, bytes: Buffer.alloc(0xffff - 3) }];
    expect(decodeRecord(pack(1, json('1', { extensions }))).extensions).toHaveLength(1);
    const over = [...extensions, { kind: 2, bytes: Buffer.alloc(0) }];
    expect(() => encodeBody(json('1', { extensions: over }))).toThrow(expect.objectContaining({ code: 'too_large' }));
  });
});
