import { expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.js';

it('grants what may come at once, then tells how long until the next would be granted', () => {
  const limiter = new RateLimiter(10, 0);
  for (let n = 0; n < 10; n++) expect(limiter.take(1, 0)).toBe(0);
  expect(limiter.take(1, 0)).toBe(100);
  // What was refused took nothing.
  expect([limiter.take(1, 50), limiter.take(1, 100), limiter.take(1, 100)]).toEqual([50, 0, 100]);
});

it('fills up while nothing comes, and not beyond what may come at once', () => {
  const limiter = new RateLimiter(1, 0, 3);
  expect([limiter.take(3, 0), limiter.take(1, 0)]).toEqual([0, 1_000]);
  expect(limiter.take(3, 60_000)).toBe(0);
  expect(limiter.take(1, 60_000)).toBe(1_000);
});

it('lets through what is larger than the bucket when that is full, and has it paid back', () => {
  const limiter = new RateLimiter(10, 0);
  expect(limiter.take(25, 0)).toBe(0);
  expect(limiter.take(1, 0)).toBe(1_600);
  expect([limiter.take(25, 2_400), limiter.take(25, 2_500)]).toEqual([100, 0]);
});

it('charges what was spent already, whether it was there or not', () => {
  const limiter = new RateLimiter(10, 0);
  limiter.charge(15, 0);
  expect(limiter.waitMs(1, 0)).toBe(600);
  expect(limiter.take(1, 600)).toBe(0);
});

it('is asked without taking anything', () => {
  const limiter = new RateLimiter(1, 0);
  expect([limiter.waitMs(1, 0), limiter.waitMs(1, 0), limiter.take(1, 0)]).toEqual([0, 0, 0]);
});

it('earns nothing from a clock that steps back, and loses nothing', () => {
  const limiter = new RateLimiter(1, 10_000);
  expect(limiter.take(1, 10_000)).toBe(0);
  expect(limiter.take(1, 5_000)).toBe(1_000);
  expect(limiter.take(1, 6_000)).toBe(0);
});

it('never refuses where there is no limit', () => {
  const limiter = new RateLimiter(Number.POSITIVE_INFINITY, 0);
  limiter.charge(1e9, 0);
  expect([limiter.take(1e9, 0), limiter.waitMs(1, 0)]).toEqual([0, 0]);
});
