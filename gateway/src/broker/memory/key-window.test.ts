import { expect, it } from 'vitest';
import { KeyWindow } from './key-window.js';

const at = (offset: number) => ({ epoch: 1, offset });

it('tells where the first message of a key stands, for exactly its window', () => {
  const keys = new KeyWindow(1_000, 10);
  keys.remember('a', 'k', at(7), 0);
  expect(keys.find('a', 'k', 999)).toEqual(at(7));
  expect(keys.find('a', 'k', 1_000)).toBeUndefined();
  expect(keys.entries.size).toBe(0);
});

it('a key belongs to its channel, however both are spelled', () => {
  const keys = new KeyWindow(1_000, 10);
  keys.remember('a:b', 'c', at(1), 0);
  keys.remember('a', 'c', at(2), 0);
  expect(keys.find('a', 'b:c', 0)).toBeUndefined();
  expect(keys.find('a:b', 'c', 0)).toEqual(at(1));
  expect(keys.find('a', 'c', 0)).toEqual(at(2));
});

it('is full with as many keys as it may hold, until the oldest ends', () => {
  const keys = new KeyWindow(1_000, 2);
  keys.remember('a', '1', at(1), 0);
  expect(keys.fullForMs(100)).toBe(0);
  keys.remember('a', '2', at(2), 200);
  expect(keys.fullForMs(300)).toBe(700);
  // Never "now" while it is full: who is told 0 would take a key.
  expect(keys.fullForMs(1_000)).toBe(1);
  keys.evict(1_000);
  expect(keys.fullForMs(1_000)).toBe(0);
  expect(keys.find('a', '2', 1_000)).toEqual(at(2));
});

it('forgets what has ended and nothing behind it', () => {
  const keys = new KeyWindow(1_000, 10);
  for (const time of [0, 10, 20]) keys.remember('a', String(time), at(time), time);
  keys.evict(1_010);
  expect([...keys.entries.values()].map(({ position }) => position.offset)).toEqual([20]);
});
