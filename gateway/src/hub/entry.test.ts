import type { RawDialect } from '@fanfare/protocol';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { expect, it } from 'vitest';
import type { LogRecord } from '../broker/record.js';
import { Entry, epochFrame, Notice, resetFrame } from './entry.js';

const { json, msgpack } = RAW_DIALECTS;

const record = (text: string, offset = 3): LogRecord => ({
  epoch: 7,
  offset,
  time: 1,
  user: 'ada',
  payload: { format: 'json', bytes: Buffer.from(text) },
  size: 10,
});
const read = (entry: Entry, dialect: RawDialect = json) => JSON.parse(Buffer.from(entry.frame(dialect)).toString());

it('is encoded once for each dialect, whatever their number and order', () => {
  const entry = new Entry('a', record('1'), true);
  const first = entry.frame(json);
  const other = { ...json, name: 'other' } as RawDialect;
  const [second, third] = [entry.frame(msgpack), entry.frame(other)];
  expect(entry.frame(json)).toBe(first);
  expect(entry.frame(msgpack)).toBe(second);
  expect(entry.frame(other)).toBe(third);
  expect(new Set([first, second, third]).size).toBe(3);
});

it('has a position on durable channels only, and what the publisher gave on both', () => {
  const [durable, live] = [new Entry('a', record('1'), true), new Entry('a', record('1'), false)];
  expect(durable.position).toMatchObject({ epoch: 7, offset: 3 });
  expect(live.position).toBeUndefined();
  expect(read(durable)).toMatchObject({ type: 'message', channel: 'a', offset: 3, user: 'ada', data: 1 });
  expect(read(live)).toMatchObject({ type: 'message', channel: 'a', user: 'ada', data: 1 });
  expect(read(live)).not.toHaveProperty('offset');
});

it('a payload that nobody can read is told: as a reset where there is a position, else as an error', () => {
  // Another dialect has to read it to write it anew.
  const bytes = { ...record('1'), payload: { format: 'msgpack' as const, bytes: Buffer.from([0xc1]) } };
  expect(read(new Entry('a', bytes, true))).toMatchObject({ type: 'reset', reason: 'expired', offset: 3 });
  expect(read(new Entry('a', bytes, false))).toMatchObject({ type: 'error', code: 'internal' });
});

it('notices stand where they send the subscribers to', () => {
  const at = { epoch: 7, offset: 3 };
  const notice = new Notice(at, resetFrame('a', 'diverged', at));
  expect(notice.position).toBe(at);
  expect(JSON.parse(String(notice.frame(json)))).toEqual({
    type: 'reset',
    channel: 'a',
    reason: 'diverged',
    epoch: '7',
    offset: 3,
  });
  expect(epochFrame('a', at)).toEqual({ type: 'epoch', channel: 'a', epoch: '7', offset: 3 });
});
