import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.js';

describe('backoff', () => {
  it('doubles the ceiling up to the limit, and begins anew after a success', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 1000 }, () => 1);
    expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });

  it('draws from the whole range below the ceiling', () => {
    const draws = [0, 0.5];
    const backoff = new Backoff({ minMs: 50, maxMs: 1000 }, () => draws.shift() as number);
    expect(backoff.next()).toBe(50);
    expect(backoff.next()).toBe(125);
  });
});
