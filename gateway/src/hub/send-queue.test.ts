import { setImmediate as nextTurn } from 'node:timers/promises';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { expect, it } from 'vitest';
import { plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { Outgoing } from './entry.js';
import { SendQueue } from './send-queue.js';

const { json, msgpack } = RAW_DIALECTS;

const item = (offset: number, bytes = 10): Outgoing => ({
  position: { epoch: 1, offset },
  size: bytes,
  frame: () => 'x'.repeat(bytes),
});

function setUp(options = { queueBytes: 100, allQueuesBytes: 200 }) {
  const told: string[] = [];
  const owner = {
    options,
    bytes: 0,
    wake: () => void told.push('wake'),
    count(bytes: number) {
      owner.bytes += bytes;
    },
    settled: () => void told.push('settled'),
  };
  const queue = new SendQueue(owner, 'a');
  /** What the scheduler does in its turn. */
  const send = (share = 1e9) => {
    const items = queue.take(share, 1e9);
    if (items.length > 0) queue.sent(items);
    if (queue.pending === 0) queue.idle();
    return items.map(({ position }) => position?.offset);
  };
  return { owner, queue, told, send };
}

it('wakes who sends once for all that waits, and again when it was empty', () => {
  const { queue, told, send } = setUp();
  for (const offset of [1, 2, 3]) queue.push(item(offset));
  expect(told).toEqual(['wake']);
  expect(send()).toEqual([1, 2, 3]);
  queue.push(item(4));
  expect([told, send()]).toEqual([['wake', 'wake'], [4]]);
});

it('gives what fits into a share on every topic that somebody is on, in order, and at least one', () => {
  const { queue, send } = setUp();
  for (let offset = 1; offset <= 5; offset++) queue.push(item(offset));
  // Nobody is on a topic: nothing takes up room.
  queue.topic(msgpack);
  expect(queue.take(1, 1)).toHaveLength(5);
  queue.topic(json).enter(plainSubscriber());
  // 10 bytes each, and 3 between two.
  expect(send(23)).toEqual([1, 2]);
  expect(send(22)).toEqual([3]);
  expect(send(5)).toEqual([4]);
  expect(queue.take(5, 5)).toEqual([]);
  expect(queue.pending).toBe(1);
});

it('moves its topics to what was sent, those that are opened later, too', () => {
  const { queue, send } = setUp();
  const early = queue.topic(json);
  for (const offset of [1, 2]) queue.push(item(offset));
  expect(early.flushed).toEqual({ epoch: 0, offset: 0 });
  send();
  expect([early.flushed, queue.topic(msgpack).flushed]).toEqual([
    { epoch: 1, offset: 2 },
    { epoch: 1, offset: 2 },
  ]);
});

it('has one topic for each dialect that is in use, and forgets it with the last user', () => {
  const { queue } = setUp();
  const topic = queue.topic(json);
  expect(queue.topic(json)).toBe(topic);
  topic.release();
  expect(queue.topics).toEqual([topic]);
  topic.release();
  expect(queue.topics).toEqual([]);
  expect(queue.topic(json)).not.toBe(topic);
});

it('counts what waits, and gives it back when it is sent', () => {
  const { queue, owner, send } = setUp();
  for (let offset = 1; offset <= 3; offset++) queue.push(item(offset));
  expect(owner.bytes).toBe(30);
  send();
  expect([owner.bytes, queue.pending]).toEqual([0, 0]);
});

it('is full where it holds its share and all queues together hold what they may', () => {
  const { queue, owner } = setUp();
  queue.push(item(1, 99));
  owner.bytes = 1_000;
  expect(queue.isFull).toBe(false);
  queue.push(item(2, 1));
  expect(queue.isFull).toBe(true);
  owner.bytes = 199;
  expect(queue.isFull).toBe(false);
});

it('tells who waits for progress at each step, and who waits for room when half of its share is free', async () => {
  const { queue, send } = setUp();
  queue.topic(json).enter(plainSubscriber());
  const told: string[] = [];
  await queue.progress();
  for (let offset = 1; offset <= 10; offset++) queue.push(item(offset));
  void queue.progress().then(() => told.push('progress'));
  void queue.room().then(() => told.push('room'));
  await nextTurn();
  expect(told).toEqual([]);
  send(49);
  await nextTurn();
  expect(told).toEqual(['progress']);
  send(20);
  await nextTurn();
  expect(told).toEqual(['progress', 'room']);
});

it('tells that nothing is on its way when the last publish was answered', () => {
  const { queue, told } = setUp();
  const [first, second] = [queue.publishing(), queue.publishing()];
  first();
  expect([told, queue.isExpecting]).toEqual([[], true]);
  second();
  expect([told, queue.isExpecting]).toEqual([['settled'], false]);
});

it('stays in order over thousands that come and go', () => {
  const { queue, send } = setUp();
  queue.topic(json).enter(plainSubscriber());
  const seen: unknown[] = [];
  for (let offset = 1; offset <= 5_000; offset++) {
    queue.push(item(offset));
    if (offset % 3 === 0) seen.push(...send(30));
  }
  while (queue.pending > 0) seen.push(...send(30));
  expect(seen).toEqual(Array.from({ length: 5_000 }, (_, i) => i + 1));
});
