import type { RawDialect, RawServerFrame } from '@fanfare/protocol';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { LogRecord } from '../broker/record.js';
import { systemClock } from '../clock.js';
import { createStats } from '../stats.js';
import { Entry } from './entry.js';
import { SendQueue } from './send-queue.js';
import { SendScheduler } from './send-scheduler.js';

/** Dialects that a gateway of today does not have, as different from each other as can be told. */
const dialects = ['one', 'two', 'three'].map((name) => ({ ...RAW_DIALECTS.json, name }) as unknown as RawDialect);

const record = (offset: number): LogRecord =>
  ({ epoch: 1, offset, time: 1, payload: { format: 'json', bytes: Buffer.from('0') }, size: 10 }) as LogRecord;

function createQueue() {
  const published: { topic: string; frame: string }[] = [];
  const transport = {
    publish: (topic: string, frame: string | Uint8Array) =>
      published.push({ topic, frame: Buffer.from(frame).toString() }),
  };
  const options = { allQueuesBytes: 1_000, queueBytes: 1_000 };
  const queue = new SendQueue(new SendScheduler(transport, systemClock, createStats(), options), 'a');
  return { queue, published };
}

describe('the topics of a channel', () => {
  it('are as many as dialects are spoken, each published to once a message', async () => {
    const { queue, published } = createQueue();
    for (const dialect of dialects) {
      const topic = queue.topic(dialect);
      expect(queue.topic(dialect)).toBe(topic);
      topic.enter(plainSubscriber());
      topic.enter(plainSubscriber());
    }
    queue.push(new Entry('a', record(1), true));
    await queue.progress();
    expect(published.map(({ topic }) => topic)).toEqual(['one/a', 'two/a', 'three/a']);
    expect(queue.subscribers).toBe(6);
  });

  it('stand where the channel does, whenever they are opened and whether anybody has entered', async () => {
    const { queue, published } = createQueue();
    const [first, second] = dialects as [RawDialect, RawDialect];
    queue.startAt(record(4));
    const early = queue.topic(first);
    queue.push(new Entry('a', record(5), true));
    await queue.progress();
    expect(published).toEqual([]);
    expect([early.flushed.offset, queue.topic(second).flushed.offset]).toEqual([5, 5]);
  });

  it('are gone once nobody uses them, also if nobody ever entered', () => {
    const { queue } = createQueue();
    const subscriber = plainSubscriber();
    const [first, second] = dialects as [RawDialect, RawDialect];
    const topic = queue.topic(first);
    const other = queue.topic(second);
    topic.enter(subscriber);
    expect(queue.topic(first)).toBe(topic);
    topic.release();
    expect(queue.topics).toEqual([topic, other]);
    topic.leave(subscriber);
    topic.release();
    other.release();
    expect(queue.topics).toEqual([]);
  });
});

describe('an entry', () => {
  it('is encoded once a dialect, however many there are', () => {
    const encoded: string[] = [];
    const counting = dialects.map((dialect) => ({
      ...dialect,
      encodeRaw(frame: RawServerFrame) {
        encoded.push(dialect.name);
        return dialect.encodeRaw(frame);
      },
    }));
    const entry = new Entry('a', record(1), true);
    const frames = counting.map((dialect) => entry.frame(dialect));
    for (const [index, dialect] of counting.entries()) expect(entry.frame(dialect)).toBe(frames[index]);
    expect(new Set(frames).size).toBe(3);
    expect(encoded).toEqual(['one', 'two', 'three']);
  });
});
