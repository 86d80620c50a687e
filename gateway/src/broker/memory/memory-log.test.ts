import { describe, expect, it } from 'vitest';
import {
  durableChannel,
  json,
  liveChannel,
  numbered,
  offsets,
  positionOf,
  range,
} from '../../../test/support/broker-kit.js';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { type ChannelSpec, type LogPage, NEW_IDENTITY_MS, type ReadRange } from '../broker.js';
import type { LogRecord } from '../record.js';
import { MemoryLog } from './memory-log.js';

const DAY_MS = 24 * 3600 * 1000;
const everything: ReadRange = { last: true, limit: 1e9 };

function setUp(options: { maxKeys?: number; idempotencyMs?: number } = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog({ clock, ...options });
  const read = (channel: ChannelSpec): LogPage => log.read(channel, everything);
  return { clock, log, read };
}

describe('retention in memory', () => {
  const channel = durableChannel({ historyTtlMs: 1000 });

  it('ends a log exactly when nobody published for its ttl', () => {
    const { clock, log, read } = setUp();
    log.publish(channel, numbered(2));
    clock.advance(600);
    log.publish(channel, numbered(1));
    clock.advance(999);
    expect(offsets(read(channel).entries)).toEqual([1, 2, 3]);
    clock.advance(1);
    expect(read(channel)).toMatchObject({ entries: [], more: false, head: { offset: 3 } });
  });

  it('keeps positions for 30 days after the last publish or read', () => {
    const { clock, log, read } = setUp();
    log.publish(channel, numbered(2));
    const { head } = read(channel);
    clock.advance(29 * DAY_MS);
    expect(read(channel).head).toEqual(head);
    clock.advance(30 * DAY_MS - 1);
    log.sweep();
    expect(read(channel).head).toEqual(head);
    clock.advance(30 * DAY_MS);
    const { head: anew } = read(channel);
    expect(anew.offset).toBe(0);
    expect(anew.epoch).toBeGreaterThan(head.epoch);
  });

  it('keeps them after a single publish that nobody reads', () => {
    const { clock, log, read } = setUp();
    const [first] = log.publish(channel, numbered(1));
    clock.advance(29 * DAY_MS);
    log.sweep();
    expect(read(channel).head).toEqual(positionOf(first));
  });

  it('forgets a channel that nobody published to minutes after the last look, and does not remember a peek', () => {
    const { clock, log, read } = setUp();
    const peeked = log.read(channel, { ...everything, isPeek: true });
    expect(peeked).toMatchObject({ entries: [], more: false, head: { offset: 0 } });
    const { head } = read(channel);
    expect(head.epoch).toBeGreaterThan(peeked.head.epoch);
    clock.advance(NEW_IDENTITY_MS - 1);
    expect(read(channel).head).toEqual(head);
    clock.advance(NEW_IDENTITY_MS);
    expect(read(channel).head.epoch).toBeGreaterThan(head.epoch);
  });

  it('forgets no channel that somebody is subscribed to', () => {
    const { clock, log, read } = setUp();
    const { head } = read(channel);
    const stop = log.subscribe(channel.name, () => {});
    clock.advance(60 * DAY_MS);
    log.sweep();
    expect(read(channel).head).toEqual(head);
    stop();
    clock.advance(NEW_IDENTITY_MS);
    expect(read(channel).head.epoch).toBeGreaterThan(head.epoch);
  });
});

describe('what is forgotten in memory', () => {
  class OpenLog extends MemoryLog {
    get held() {
      return { channels: this.channels.size, keys: this.keys.entries.size };
    }
  }

  it('is gone with the last subscriber, or with the next sweep, and so are keys', () => {
    const clock = new ManualClock();
    const log = new OpenLog({ clock, idempotencyMs: 1_000 });
    const stop = log.subscribe(liveChannel().name, () => {});
    expect(log.held).toEqual({ channels: 1, keys: 0 });
    stop();
    expect(log.held).toEqual({ channels: 0, keys: 0 });
    log.publish(durableChannel(), [json(1, { key: 'k' })]);
    clock.advance(1_000);
    log.sweep();
    expect(log.held).toEqual({ channels: 1, keys: 0 });
    clock.advance(31 * DAY_MS);
    log.sweep();
    expect(log.held).toEqual({ channels: 0, keys: 0 });
  });
});

describe('epochs in memory', () => {
  it('are microseconds, below 2^53, and never given twice, also in the same ms or when the clock steps back', () => {
    const { clock, read } = setUp();
    const other = new MemoryLog({ clock });
    const epochs: number[] = [];
    for (const step of [0, 0, 1, -5000, 0, 2000]) {
      clock.set(clock.now() + step);
      for (let i = 0; i < 5; i++) epochs.push(read(durableChannel()).head.epoch);
      epochs.push(positionOf(other.publish(durableChannel(), numbered(1))[0]).epoch);
    }
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(epochs.every(Number.isSafeInteger)).toBe(true);
    expect(epochs[0]).toBeGreaterThanOrEqual(1_700_000_000_000_000);
  });
});

describe('idempotency in memory', () => {
  const channel = durableChannel();

  it('holds a key for exactly its window from the first publish', () => {
    const { clock, log } = setUp({ idempotencyMs: 1000 });
    const keyed = [json(1, { key: 'k' })];
    log.publish(channel, keyed);
    clock.advance(999);
    expect(log.publish(channel, keyed)).toMatchObject([{ duplicate: true }]);
    clock.advance(1);
    expect(log.publish(channel, keyed)).toMatchObject([{ position: { offset: 2 } }]);
  });

  it('refuses new keys as unavailable rather than forget one early, and only those', () => {
    const { clock, log } = setUp({ idempotencyMs: 1000, maxKeys: 2 });
    log.publish(channel, [json(1, { key: 'a' })]);
    clock.advance(400);
    const messages = [json(2, { key: 'b' }), json(3, { key: 'c' }), json(4), json(5, { key: 'a' })];
    expect(log.publish(channel, messages)).toMatchObject([
      { position: { offset: 2 } },
      { code: 'unavailable', retryable: true, retryAfterMs: 600 },
      { position: { offset: 3 } },
      { position: { offset: 1 }, duplicate: true },
    ]);
    clock.advance(600);
    expect(log.publish(channel, [json(3, { key: 'c' })])).toMatchObject([{ position: { offset: 4 } }]);
  });
});

describe('pushes in memory', () => {
  it('reach every listener in log order, also when one publishes from inside its call', () => {
    const { log } = setUp();
    for (const channel of [durableChannel(), liveChannel()]) {
      const seen: string[][] = [[], []];
      const text = (record: LogRecord) => Buffer.from(record.payload.bytes).toString();
      log.subscribe(channel.name, (record) => {
        seen[0]?.push(text(record));
        if (text(record) === '1') log.publish(channel, [json(10), json(11)]);
      });
      log.subscribe(channel.name, (record) => seen[1]?.push(text(record)));
      log.publish(channel, numbered(2));
      const order = ['1', '10', '11', '2'];
      expect(seen).toEqual([order, order]);
      if (channel.durable) expect(log.read(channel, everything).entries.map(text)).toEqual(order);
    }
  });

  it('go on after a listener that throws', () => {
    const { log } = setUp();
    const channel = durableChannel();
    const seen: number[] = [];
    let isFaulty = true;
    log.subscribe(channel.name, ({ offset }) => {
      if (isFaulty) throw new Error('a fault of the listener');
      seen.push(offset);
    });
    expect(() => log.publish(channel, numbered(1))).toThrow('a fault of the listener');
    isFaulty = false;
    log.publish(channel, numbered(2));
    expect(seen).toEqual([2, 3]);
  });

  it('end at once for a listener that leaves from inside a call', () => {
    const { log } = setUp();
    const channel = durableChannel();
    const seen: number[] = [];
    log.subscribe(channel.name, () => stop());
    const stop = log.subscribe(channel.name, (record) => seen.push(record.offset));
    log.publish(channel, numbered(3));
    expect(seen).toEqual([]);
    expect(offsets(log.read(channel, everything).entries)).toEqual(range(1, 3));
  });
});
