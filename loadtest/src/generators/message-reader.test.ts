import type { Dialect, Frame } from '@fanfare/protocol';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { expect, it } from 'vitest';
import { encodePayload } from '../audit/payload.js';
import { MessageReader } from './message-reader.js';

const CHANNEL = 'demo:a';
const DATA = encodePayload(7, 12, 1_000, 100).slice(1, -1);
const reader = new MessageReader();

function read({ encode }: Dialect, frame: object): { readonly end: number; readonly length: number } {
  const wire = Buffer.from(encode({ type: 'message', channel: CHANNEL, data: DATA, time: 1_700, ...frame } as Frame));
  // The message stands in a list, so that there are bytes before and behind it.
  const bytes = Buffer.concat([Buffer.from('['), wire, Buffer.from(',')]);
  const nameAt = reader.nameAt(bytes, 1);
  if (nameAt < 0) return { end: -1, length: wire.length };
  const end = reader.read(bytes, 1, nameAt + CHANNEL.length + 1, bytes.length - 1);
  if (end >= 0) expect(bytes.toString('latin1', reader.dataAt, reader.dataAt + DATA.length)).toBe(DATA);
  return { end, length: wire.length };
}

/** The fields of a message in the order in which gateways write them. */
const ordered = {
  ...jsonDialect,
  encode: (frame: Frame | readonly Frame[]) => {
    const { type, channel, offset, data, time, ...others } = frame as Frame & Record<string, unknown>;
    return jsonDialect.encode({
      type,
      channel,
      ...(offset !== undefined && { offset }),
      data,
      time,
      ...others,
    } as Frame);
  },
} as Dialect;

it.each([
  ['json', ordered],
  ['compact', compactDialect],
])('reads messages of %s where they lie', (_name, dialect) => {
  const durable = read(dialect, { offset: 1_234_567 });
  expect(durable.end).toBe(1 + durable.length);
  expect(reader).toMatchObject({ offset: 1_234_567, stamp: { stream: 7, n: 12, dueUs: 1_000, length: DATA.length } });
  const live = read(dialect, {});
  expect(live.end).toBe(1 + live.length);
  expect(reader.offset).toBe(0);
});

it.each([
  ['json', ordered],
  ['compact', compactDialect],
])('leaves what is not a plain message of ours in %s to who decodes it', (_name, dialect) => {
  expect(read(dialect, { offset: 5, data: 'another text' }).end).toBe(-1);
  expect(read(dialect, { offset: 5, data: { deep: [1] } }).end).toBe(-1);
  expect(read(dialect, { offset: 5, tags: { kind: 'a' } }).end).toBe(-1);
  expect(read(dialect, { type: 'subscribed', id: 3 }).end).toBe(-1);
  expect(read(dialect, { type: 'ping' }).end).toBe(-1);
});

it('leaves the fields of a message by place that say more, such as a gap that a filter made', () => {
  expect(read(compactDialect, { offset: 5, prev: 2 }).end).toBe(-1);
});
