import { describe, expect, it } from 'vitest';
import type { Clock } from '../clock.js';
import { Deadline } from './deadline.js';

/** A clock on which only one timer runs at a time. */
function handClock() {
  let now = 1_000;
  let timer: { readonly dueAt: number; readonly callback: () => void } | undefined;
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    after(delayMs, callback) {
      const mine = { dueAt: now + delayMs, callback };
      timer = mine;
      return () => {
        if (timer === mine) timer = undefined;
      };
    },
    soon: (callback) => callback(),
    random: () => 0.5,
  };
  const run = (ms: number, lateMs = 0) => {
    const end = now + ms;
    while (timer && timer.dueAt + lateMs <= end) {
      const { dueAt, callback } = timer;
      now = dueAt + lateMs;
      timer = undefined;
      callback();
    }
    now = end;
  };
  return { clock, run };
}

describe('a deadline', () => {
  it.each([0, 20, 90])('is over in time although each tick comes %i ms late', (lateMs) => {
    const { clock, run } = handClock();
    let expired = 0;
    new Deadline(clock, 800, () => expired++);
    run(799, lateMs);
    expect(expired).toBe(0);
    run(2 * lateMs + 2, lateMs);
    expect(expired).toBe(1);
    run(5_000);
    expect(expired).toBe(1);
  });

  it('takes a pause of this process for a moment', () => {
    const { clock, run } = handClock();
    let expired = 0;
    new Deadline(clock, 800, () => expired++);
    run(5_100, 5_000);
    expect(expired).toBe(0);
    run(600);
    expect(expired).toBe(1);
  });

  it('begins anew when asked, and ends when cancelled', () => {
    const { clock, run } = handClock();
    let expired = 0;
    const deadline = new Deadline(clock, 800, () => expired++);
    for (let i = 0; i < 10; i++) {
      run(750);
      deadline.restart();
    }
    expect(expired).toBe(0);
    deadline.cancel();
    deadline.restart();
    run(5_000);
    expect(expired).toBe(0);
  });

  it('counts nothing while it is paused, and may begin again when it is over', () => {
    const { clock, run } = handClock();
    let expired = 0;
    const deadline = new Deadline(clock, 800, () => expired++);
    run(750);
    deadline.pause();
    run(5_000);
    expect(expired).toBe(0);
    deadline.restart();
    deadline.pause();
    deadline.restart();
    run(799);
    expect(expired).toBe(0);
    run(2);
    expect(expired).toBe(1);
    deadline.restart();
    run(801);
    expect(expired).toBe(2);
  });
});
