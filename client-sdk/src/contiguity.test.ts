import { describe, expect, it } from 'vitest';
import { withFakeServer } from '../test/support.js';
import type { AnyFrame } from './testing/index.js';

const CHANNEL = 'chat:1';

/** Makes a client that stands at 10 in epoch e1, and sends it these frames. */
function sent(...frames: readonly Record<string, unknown>[]) {
  const { client, server, clock } = withFakeServer();
  client.connect();
  const data: unknown[] = [];
  const subscription = client.channel(CHANNEL).subscribe((message) => void data.push(message.offset));
  clock.advance(10);
  const [request] = server.link.sent('subscribe');
  server.link.send({ type: 'subscribed', id: request?.id, channel: CHANNEL, durable: true, epoch: 'e1', offset: 10 });
  for (const frame of frames) server.link.send({ channel: CHANNEL, ...frame } as AnyFrame);
  clock.advance(10);
  const { gaps, duplicatesDropped } = client.stats;
  const [, again] = server.link.sent('subscribe');
  return { data, position: subscription.position, gaps, duplicatesDropped, since: again?.since };
}

const message = (offset: number, prev?: number) => ({
  type: 'message',
  offset,
  ...(prev !== undefined && { prev }),
  data: 1,
  time: 1,
});
const position = (offset: number, prev?: number) => ({ type: 'position', offset, ...(prev !== undefined && { prev }) });
const epoch = (offset: number, prev?: number, name = 'e2') => ({ type: 'epoch', epoch: name, offset, prev });
const e1 = (offset: number) => ({ epoch: 'e1', offset });
const e2 = (offset: number) => ({ epoch: 'e2', offset });

describe.each([
  ['message', message],
  ['position', position],
] as const)('a %s', (type, frame) => {
  const told = (...offsets: number[]) => (type === 'message' ? offsets : []);

  it.each([
    ['follows', 11, undefined],
    ['covers several offsets', 15, 10],
    ['begins earlier', 15, 7],
    ['begins at the beginning', 15, 0],
  ])('that %s is taken', (_, offset, prev) => {
    const result = sent(frame(offset, prev), frame(offset + 1));
    expect(result).toMatchObject({ data: told(offset, offset + 1), position: e1(offset + 1), gaps: 0 });
    expect(result.since).toBeUndefined();
  });

  it.each([
    ['ends here', 10, undefined],
    ['ends here and covers several offsets', 10, 4],
    ['ends earlier', 8, 2],
  ])('that %s is dropped', (_, offset, prev) => {
    const result = sent(frame(offset, prev));
    expect(result).toMatchObject({ data: [], position: e1(10), gaps: 0, duplicatesDropped: 1 });
    expect(result.since).toBeUndefined();
  });

  it.each([
    ['is one too far', 12, undefined],
    ['begins to cover behind a hole', 15, 11],
    ['covers nothing', 15, 15],
    ['ends before it begins', 15, 20],
  ])('that %s makes it ask again from where it stands', (_, offset, prev) => {
    expect(sent(frame(offset, prev), frame(offset + 1))).toMatchObject({
      data: [],
      position: e1(10),
      gaps: 1,
      since: e1(10),
    });
  });
});

describe('an epoch', () => {
  it.each([
    ['where the client stands', 10, undefined],
    ['where the client stands, which says so', 10, 10],
    ['behind offsets that it covers', 14, 10],
    ['behind offsets of which the client has some', 14, 6],
    ['behind offsets of which the client has all', 10, 6],
  ])('that begins %s is entered', (_, offset, prev) => {
    const result = sent(epoch(offset, prev), message(offset + 1));
    expect(result).toMatchObject({ data: [offset + 1], position: e2(offset + 1), gaps: 0 });
    expect(result.since).toBeUndefined();
  });

  it.each([
    ['behind a hole', 12, undefined],
    ['behind offsets that begin behind a hole', 14, 11],
    ['before where the client stands', 9, undefined],
    ['before where the client stands, behind what it covers', 9, 4],
  ])('that begins %s makes it ask again', (_, offset, prev) => {
    expect(sent(epoch(offset, prev), message(offset + 1))).toMatchObject({ data: [], position: e1(10), since: e1(10) });
  });

  it('that the client is in already is dropped, whatever it covers', () => {
    expect(sent(epoch(10), message(11), epoch(10, 4), message(12))).toMatchObject({ data: [11, 12], position: e2(12) });
  });
});

it('a message without an offset makes it ask again', () => {
  expect(sent({ type: 'message', prev: 9, data: 1, time: 1 })).toMatchObject({ data: [], since: e1(10) });
});
