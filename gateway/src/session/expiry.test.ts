import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { Expiry, expiry } from './expiry.js';

it('looks at everyone at least once a second, by the time that clients are told, until it stops', () => {
  const clock = new ManualClock();
  const began = clock.wall();
  const times: number[] = [];
  const looks = new Expiry([{ expire: (nowMs: number) => times.push(nowMs - began) }], clock);
  clock.advance(3_000);
  expect(times.length).toBeGreaterThanOrEqual(3);
  for (const [i, time] of times.entries()) expect(time - (times[i - 1] ?? 0)).toBeLessThanOrEqual(1_000);
  looks.stop();
  clock.advance(10_000);
  expect([times.at(-1), clock.timers]).toEqual([3_000, 0]);
});

it('tells the time and how long that is, never less than nothing, and nothing of what never ends', () => {
  const clock = { wall: () => 1_000 };
  expect(expiry(undefined, clock)).toEqual({});
  expect(expiry(4_000, clock)).toEqual({ expires: 4_000, expiresIn: 3_000 });
  expect(expiry(400, clock)).toEqual({ expires: 400, expiresIn: 0 });
});
