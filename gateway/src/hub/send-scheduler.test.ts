import type { RawDialect } from '@fanfare/protocol';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { framesIn } from '../../test/support/frames-in.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { LogRecord } from '../broker/record.js';
import { createStats, type FanOut } from '../stats.js';
import { Entry } from './entry.js';
import { SendQueue } from './send-queue.js';
import { SendScheduler } from './send-scheduler.js';

const { json, msgpack } = RAW_DIALECTS;
/** What a JSON frame with an empty text and an offset of two digits takes. */
const FRAME_BYTES = 63;
const KIB = 1024;

/** @param bytes of its JSON frame, if the offset has two digits */
function entry(offset: number, bytes = FRAME_BYTES): Entry {
  const data = JSON.stringify('x'.repeat(bytes - FRAME_BYTES));
  const payload = { format: 'json', bytes: Buffer.from(data) };
  return new Entry('a', { epoch: 1, offset, time: 1, payload, size: data.length } as LogRecord, true);
}

function setUp(options = { allQueuesBytes: 1_000_000, queueBytes: 1_000_000 }) {
  const clock = new ManualClock();
  const stats = createStats();
  const published: { topic: string; wire: string | Uint8Array }[] = [];
  const transport = {
    publish: (topic: string, wire: string | Uint8Array) => void published.push({ topic, wire }),
  };
  const scheduler = new SendScheduler(transport, clock, stats, options);
  const open = (name: string, ...dialects: RawDialect[]) => {
    const queue = new SendQueue(scheduler, name);
    for (const dialect of dialects) queue.topic(dialect).enter(plainSubscriber());
    return queue;
  };
  /** The offsets in each of the JSON publishes since the last call, turn after turn. */
  const offsets = () =>
    published
      .splice(0)
      .filter(({ topic }) => topic.startsWith('json/'))
      .map(({ wire }) => framesIn<{ offset: number }>(wire).map(({ offset }) => offset));
  /** One turn of the loop. */
  const turn = () => clock.advance(0);
  return { clock, stats, scheduler, open, published, offsets, turn };
}

/** From `from` up, all of one size. */
function push(queue: SendQueue, from: number, count: number, bytes?: number): void {
  for (let offset = from; offset < from + count; offset++) queue.push(entry(offset, bytes));
}

describe('the send scheduler', () => {
  it('sends what a channel has in a turn as one frame a dialect, and one message as it is', () => {
    const { open, published, turn } = setUp();
    const queue = open('a', json, msgpack);
    push(queue, 1, 3);
    expect(published).toEqual([]);
    turn();
    const items = [entry(1), entry(2), entry(3)];
    expect(published.map(({ topic, wire }) => [topic, Buffer.from(wire)])).toEqual(
      [json, msgpack].map((dialect) => [
        `${dialect.name}/a`,
        Buffer.from(dialect.join(items.map((item) => item.frame(dialect)))),
      ]),
    );
    published.length = 0;
    push(queue, 4, 1);
    turn();
    expect(published.map(({ wire }) => Buffer.from(wire))).toEqual(
      [json, msgpack].map((dialect) => Buffer.from(entry(4).frame(dialect))),
    );
  });

  it('sends one message at a time where somebody speaks a dialect that joins none', () => {
    const { open, published, turn } = setUp();
    const { join: _, ...single } = { ...json, name: 'single' };
    const queue = open('a', json, single);
    push(queue, 1, 3);
    turn();
    expect(published.map(({ topic, wire }) => [topic, Buffer.from(wire)])).toEqual(
      [1, 2, 3].flatMap((offset) =>
        ['json/a', 'single/a'].map((topic) => [topic, Buffer.from(entry(offset).frame(json))]),
      ),
    );
  });

  it('counts each message and its subscribers, however they are packed', () => {
    const { open, stats, turn, published } = setUp();
    const queue = open('a', json, json, msgpack);
    push(queue, 1, 5);
    turn();
    const bytes = published.reduce((sum, { wire }) => sum + wire.length, 0);
    const sums = [...stats.fanOut.values()];
    const total = (of: keyof FanOut) => sums.reduce((sum, one) => sum + one[of], 0);
    expect([total('messages'), total('deliveries'), total('bytes')]).toEqual([10, 15, bytes]);
    expect(stats.fanOut.get('json')).toMatchObject({ messages: 5, deliveries: 10 });
    expect(stats.fanOut.get('json')?.deliveredBytes).toBe(2 * (stats.fanOut.get('json')?.bytes ?? 0));
  });

  it('observes how long messages took, by the clock of the broker, once for all dialects, and only if somebody is there', () => {
    const { open, stats, turn, clock } = setUp();
    stats.brokerClockAheadMs = 500;
    const late = (ms: number) => {
      const { record } = entry(1);
      return new Entry('a', { ...record, time: clock.wall() + 500 - ms }, true);
    };
    open('nobody').push(late(7));
    const queue = open('a', json, msgpack);
    for (const ms of [0, 7, 3_000, -4]) queue.push(late(ms));
    turn();
    const { bounds, counts, sum } = stats.flushLatency;
    expect(bounds.map((bound, index) => [bound, counts[index]]).filter(([, count]) => count)).toEqual([
      [1, 2],
      [10, 1],
      [5_000, 1],
    ]);
    expect(sum).toBe(3_007);
  });

  it('moves the position of a topic to the last message that left, and no further', () => {
    const { open, scheduler, clock } = setUp();
    const queue = open('a', json);
    const topic = queue.topic(json);
    push(queue, 1, 40, 1_000);
    let afterOneTurn = 0;
    clock.soon(() => {
      afterOneTurn = topic.flushed.offset;
    });
    clock.advance(0);
    expect([afterOneTurn, topic.flushed.offset, queue.pending, scheduler.bytes]).toEqual([15, 40, 0, 0]);
  });

  it('fills no turn beyond the cork buffer, and sends a message larger than that alone', () => {
    const { open, published, turn } = setUp();
    const queue = open('a', json, msgpack);
    push(queue, 10, 20, 1_000);
    push(queue, 30, 1, 40 * KIB);
    push(queue, 31, 2);
    turn();
    const sizes = published.filter(({ topic }) => topic === 'json/a').map(({ wire }) => wire.length);
    expect(sizes).toEqual([15 * 1_001 + 1, 5 * 1_001 + 1, 40 * KIB, 2 * FRAME_BYTES + 3]);
  });

  it('packs for all topics what fits the largest of them', () => {
    const { open, published, turn } = setUp();
    const queue = open('a', json, msgpack);
    push(queue, 10, 40, 1_000);
    turn();
    expect(published.map(({ topic }) => topic)).toEqual(Array(3).fill(['json/a', 'msgpack/a']).flat());
    const counts = published.map(({ topic, wire }) =>
      topic === 'json/a' ? json.decodeAll(wire).length : msgpack.decodeAll(wire).length,
    );
    expect(counts).toEqual([15, 15, 15, 15, 10, 10]);
  });

  it('forgets what nobody is on, at no cost, and still knows where it stands', () => {
    const { open, published, stats, turn } = setUp();
    const queue = open('a');
    const topic = queue.topic(json);
    push(queue, 1, 500);
    turn();
    expect([published.length, stats.fanOut.get('json')?.messages, topic.flushed.offset]).toEqual([0, 0, 500]);
  });

  it('gives a channel that has little its place beside one that has much', () => {
    const { open, published, turn } = setUp();
    const busy = open('busy', json);
    const quiet = open('quiet', json);
    push(busy, 100, 100, 1_000);
    push(quiet, 1, 1);
    turn();
    expect(published.findIndex(({ topic }) => topic === 'json/quiet')).toBe(1);
    expect(published[0]?.wire.length).toBeLessThan(8 * KIB);
  });

  it('publishes at most 32 times a turn, an array counting once', () => {
    const { open, published, clock } = setUp();
    for (let n = 0; n < 50; n++) push(open(`channel-${n}`, json), 1, 2);
    let inFirstTurn = 0;
    clock.soon(() => {
      inFirstTurn = published.length;
    });
    clock.advance(0);
    expect([inFirstTurn, published.length]).toEqual([32, 50]);
  });

  it('lets them wait for half of the room, not for the first byte', async () => {
    const { scheduler } = setUp({ allQueuesBytes: 100, queueBytes: 1_000 });
    scheduler.count(200);
    let hasRoom = false;
    void scheduler.room()?.then(() => {
      hasRoom = true;
    });
    scheduler.count(-149);
    await Promise.resolve();
    expect(hasRoom).toBe(false);
    scheduler.count(-1);
    await Promise.resolve();
    expect(hasRoom).toBe(true);
  });

  it('sends pings before what waits', () => {
    const { scheduler, open, published, turn } = setUp();
    push(open('a', json), 1, 3);
    const pings = new SendQueue(scheduler, ' ping', true);
    pings.topic(json).enter(plainSubscriber());
    push(pings, 1, 1);
    turn();
    expect(published.map(({ topic }) => topic)).toEqual(['json/ ping', 'json/a']);
  });

  it('lets publishers wait until half of what may wait has left', async () => {
    const { open, scheduler, turn } = setUp({ allQueuesBytes: 100, queueBytes: 1_000 });
    const queue = open('a', json);
    push(queue, 1, 40, FRAME_BYTES + 10);
    const room = scheduler.room();
    expect(room).toBeInstanceOf(Promise);
    turn();
    await room;
    expect([scheduler.room(), scheduler.bytes]).toEqual([undefined, 0]);
  });
});

describe('while publishes to a channel are on their way', () => {
  it('what comes waits for them, and leaves together once the last has settled', () => {
    const { open, offsets, turn } = setUp();
    const queue = open('a', json);
    const settled = [queue.publishing(), queue.publishing(), queue.publishing()];
    push(queue, 1, 1);
    turn();
    settled[0]?.();
    push(queue, 2, 1);
    turn();
    settled[1]?.();
    turn();
    expect(offsets()).toEqual([]);
    push(queue, 3, 1);
    settled[2]?.();
    turn();
    expect(offsets()).toEqual([[1, 2, 3]]);
  });

  it('nothing waits longer than 2 ms, however long they take', () => {
    const { open, offsets, clock } = setUp();
    const queue = open('a', json);
    const settled = queue.publishing();
    push(queue, 1, 1);
    clock.advance(1.9);
    push(queue, 2, 1);
    expect(offsets()).toEqual([]);
    clock.advance(0.1);
    expect(offsets()).toEqual([[1, 2]]);
    // The next one begins to wait anew.
    push(queue, 3, 1);
    clock.advance(1.9);
    expect(offsets()).toEqual([]);
    clock.advance(0.2);
    expect(offsets()).toEqual([[3]]);
    settled();
  });

  it('another channel is not held up', () => {
    const { open, offsets, turn } = setUp();
    const [slow, quick] = [open('slow', json), open('quick', json)];
    slow.publishing();
    push(slow, 1, 1);
    push(quick, 2, 1);
    turn();
    expect(offsets()).toEqual([[2]]);
  });

  it('each channel waits its own time', () => {
    const { open, offsets, clock } = setUp();
    const [first, second] = [open('first', json), open('second', json)];
    first.publishing();
    second.publishing();
    push(first, 1, 1);
    clock.advance(1);
    push(second, 2, 1);
    clock.advance(1);
    expect(offsets()).toEqual([[1]]);
    clock.advance(1);
    expect(offsets()).toEqual([[2]]);
  });

  it('with nothing on its way a message leaves in the next turn', () => {
    const { open, offsets, turn } = setUp();
    const queue = open('a', json);
    queue.publishing()();
    push(queue, 1, 1);
    turn();
    expect(offsets()).toEqual([[1]]);
  });
});
