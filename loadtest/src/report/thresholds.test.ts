import { expect, it } from 'vitest';
import { countsOf, createHistogram, DurationRecorder, decodeHistogram } from './histogram.js';
import { durationsOf } from './result.js';
import { judge, parseThreshold } from './thresholds.js';

it.each([
  ['p99<50ms', { metric: 'p99', operator: '<', value: 50 }],
  ['p99.9 <= 2s', { metric: 'p99.9', operator: '<=', value: 2_000 }],
  ['lost==0', { metric: 'lost', operator: '==', value: 0 }],
])('reads %s', (text, threshold) => {
  expect(parseThreshold(text)).toMatchObject(threshold);
});

it.each(['p99', 'p99<fast', 'speed<1', 'lost=0', '<5'])('refuses %s', (text) => {
  expect(() => parseThreshold(text)).toThrow('--threshold');
});

it('one that was not measured is not met', () => {
  const nothing = { latency: undefined, audit: { lost: 0 } } as unknown as Parameters<typeof judge>[1];
  expect(judge([parseThreshold('p99<50ms'), parseThreshold('lost==0')], nothing).map(({ isMet }) => isMet)).toEqual([
    false,
    true,
  ]);
});

it('merges durations of several processes by their counts', () => {
  const [one, other] = [new DurationRecorder(), new DurationRecorder()];
  for (let us = 1; us <= 90; us++) one.record(us * 1_000);
  for (let us = 0; us < 10; us++) other.record(2_000_000);
  const merged = createHistogram();
  for (const text of [one.take(), other.take()]) merged.add(decodeHistogram(text as string));
  const { p50, p90, p99, max, count } = durationsOf(merged) as NonNullable<ReturnType<typeof durationsOf>>;
  expect(count).toBe(100);
  expect(p50).toBeCloseTo(50, 0);
  expect(p90).toBeCloseTo(90, 0);
  expect(p99 / 2_000).toBeCloseTo(1, 2);
  expect(max / 2_000).toBeCloseTo(1, 2);
  expect(countsOf(merged).reduce((sum, [, each]) => sum + each, 0)).toBe(100);
  expect(one.take()).toBeUndefined();
});
