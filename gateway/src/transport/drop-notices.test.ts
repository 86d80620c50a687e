import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { DropNotices } from './drop-notices.js';

it('tells whom a drop concerns in the next turn, each time', async () => {
  const notices = new DropNotices();
  let told = 0;
  const listener = { tellDrop: () => void told++ };
  for (let n = 1; n <= 3; n++) {
    notices.add(listener);
    // Whoever sends is inside a handler still.
    expect(told).toBe(n - 1);
    await nextTurn();
    expect(told).toBe(n);
  }
});

it('tells before that where somebody can, and then not again', async () => {
  const notices = new DropNotices();
  const told: string[] = [];
  notices.add({ tellDrop: () => told.push('a') });
  notices.add({ tellDrop: () => told.push('b') });
  notices.tell();
  expect(told).toEqual(['a', 'b']);
  await nextTurn();
  expect(told).toEqual(['a', 'b']);
});

it('tells in the next round what is dropped while it tells', () => {
  const notices = new DropNotices();
  const told: string[] = [];
  notices.add({
    tellDrop() {
      told.push('first');
      notices.add({ tellDrop: () => told.push('second') });
    },
  });
  notices.tell();
  expect(told).toEqual(['first']);
  notices.tell();
  expect(told).toEqual(['first', 'second']);
});
