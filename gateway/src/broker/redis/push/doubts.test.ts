import { expect, it } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.js';
import { Doubts } from './doubts.js';
import type { VirtualShard } from './virtual-shard.js';

const INTERVAL_MS = 1_000;

function setUp() {
  const clock = new ManualClock(0);
  const moving = new Set<VirtualShard>();
  const channels: number[] = [];
  const doubts = new Doubts(
    clock,
    INTERVAL_MS,
    (shard) => moving.has(shard),
    (count) => channels.push(count),
  );
  const shard = (channelCount = 2) => {
    const told: number[] = [];
    const one = { channels: new Set(Array(channelCount).keys()), doubt: () => told.push(clock.now()) };
    return { told, one: one as unknown as VirtualShard };
  };
  return { clock, moving, doubts, shard, channels };
}

it('tells at once, each second while the shard moves, and for a while behind that', () => {
  const { clock, moving, doubts, shard } = setUp();
  const { told, one } = shard();
  moving.add(one);
  doubts.raise(one);
  expect(told).toEqual([0]);
  clock.advance(5_500);
  moving.delete(one);
  clock.advance(60_000);
  // The last look that saw it move was at 5 s; what was published then is seen after that.
  expect(told).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000]);
  expect(clock.timers).toBe(0);
});

it('is not told twice as often by servers that say it twice, and goes on from the last time they did', () => {
  const { clock, doubts, shard, channels } = setUp();
  const { told, one } = shard(3);
  for (let n = 0; n < 5; n++) doubts.raise(one);
  expect([told, channels]).toEqual([[0], [3]]);
  clock.advance(1_500);
  doubts.raise(one);
  clock.advance(60_000);
  expect(told).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
});

it('each shard by itself, and nothing once it is closed', () => {
  const { clock, moving, doubts, shard } = setUp();
  const [first, second] = [shard(), shard(0)];
  doubts.raise(first.one);
  clock.advance(500);
  moving.add(second.one);
  doubts.raise(second.one);
  clock.advance(10_000);
  expect(first.told.at(-1)).toBe(3_000);
  expect(second.told.at(-1)).toBe(10_000);
  doubts.close();
  clock.advance(10_000);
  expect([second.told.at(-1), clock.timers]).toEqual([10_000, 0]);
});
