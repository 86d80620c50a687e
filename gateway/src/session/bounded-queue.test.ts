import { expect, it } from 'vitest';
import { BoundedQueue } from './bounded-queue.js';

it('keeps items in order, and says which one is too much', () => {
  const queue = new BoundedQueue<Uint8Array>();
  const [first, second] = [Buffer.alloc(32 * 1024 - 64), Buffer.alloc(32 * 1024 - 64)];
  expect([queue.add(first), queue.add(second)]).toEqual([true, true]);
  expect(queue.items[0]).toBe(first);
  expect(queue.add(Buffer.alloc(0))).toBe(false);
});

it('counts empty items, too, and text by its bytes', () => {
  const empty = new BoundedQueue<string>();
  let taken = 0;
  while (empty.add('')) taken++;
  expect(taken).toBe(1_024);
  const text = new BoundedQueue<string>();
  expect(text.add('é'.repeat(32 * 1024 - 32))).toBe(true);
  expect(text.add('')).toBe(false);
});
