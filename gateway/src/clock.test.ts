import { expect, it } from 'vitest';
import { ManualClock } from '../test/support/manual-clock.js';
import { every } from './clock.js';

it('calls back again and again, until it is told to stop, also by what it calls', () => {
  const clock = new ManualClock();
  let calls = 0;
  const stop = every(clock, 10, () => {
    calls++;
  });
  clock.advance(9);
  expect(calls).toBe(0);
  clock.advance(21);
  expect(calls).toBe(3);
  stop();
  const stopItself = every(clock, 10, () => {
    calls++;
    stopItself();
  });
  clock.advance(100);
  expect(calls).toBe(4);
});
