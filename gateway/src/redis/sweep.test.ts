import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { SHARD_COUNT } from './keys.js';
import { ShardSweep } from './sweep.js';

function setUp({ gateways = 1, sweepMs = 10_000 } = {}) {
  const clock = new ManualClock();
  const looked: number[] = [];
  const sweep = new ShardSweep({
    clock,
    sweepMs,
    gateways: () => gateways,
    look: async (shard) => {
      looked.push(shard);
      if (shard % 2) throw new Error('it cannot be reached');
    },
  });
  sweep.start();
  return { clock, looked, sweep };
}

it('looks at every shard once in its time, in turn, whether one can be reached or not', () => {
  const { clock, looked } = setUp();
  clock.advance(10_200);
  expect(new Set(looked.slice(0, SHARD_COUNT)).size).toBe(SHARD_COUNT);
  const [first = 0] = looked;
  expect(looked).toEqual(looked.map((_, n) => (first + n) % SHARD_COUNT));
  // A round is at most one step of a few shards short of the time.
  expect(Math.abs(looked.length - SHARD_COUNT)).toBeLessThan(10);
});

it('shares the work with the other gateways, and never wakes more often than every 100 ms', () => {
  const { clock, looked } = setUp({ gateways: 4 });
  clock.advance(10_000);
  expect(Math.abs(looked.length - SHARD_COUNT / 4)).toBeLessThan(8);
  const quick = setUp({ sweepMs: 10 });
  quick.clock.advance(99);
  expect(quick.looked).toEqual([]);
});

it('rests once it is stopped', () => {
  const { clock, looked, sweep } = setUp();
  sweep.stop();
  clock.advance(60_000);
  expect(looked).toEqual([]);
});
