import { expect, it } from 'vitest';
import { DURABLE_FANOUT, LATENCY, MEMORY, worstStep } from './bars.js';
import { Report, type Row, summarize } from './report.js';
import { median, percentile } from './statistics.js';

const row: Row = {
  group: 'fan-out',
  name: '64 B, 32 in flight',
  unit: 'deliveries/s',
  baseline: [100, 200, 400],
  fanfare: [80, 180, 380],
  bar: DURABLE_FANOUT,
};

it('compares round by round, so that a machine that slows down does not decide', () => {
  expect(summarize(row)).toEqual({ baseline: 200, fanfare: 180, ratio: 0.9, met: true });
  expect(summarize({ ...row, fanfare: [80, 160, 380] }).met).toBe(false);
});

it('knows bars that are ceilings and bars that are differences', () => {
  expect(summarize({ ...row, bar: LATENCY, baseline: [10], fanfare: [14] }).met).toBe(true);
  expect(summarize({ ...row, bar: LATENCY, baseline: [10], fanfare: [14.1] }).met).toBe(false);
  expect(summarize({ ...row, bar: MEMORY, baseline: [700], fanfare: [700 + 1536] }).met).toBe(true);
  expect(summarize({ ...row, bar: MEMORY, baseline: [700], fanfare: [700 + 1537] }).met).toBe(false);
});

it('sees a cliff where a larger burst is slower, and none where it is faster', () => {
  expect(worstStep([4, 5, 14])).toBe(1);
  expect(worstStep([10, 7, 9])).toBe(0.7);
});

it('prints a missed bar as missed', () => {
  const lines: string[] = [];
  const report = new Report((line) => lines.push(line));
  report.add({ ...row, fanfare: [10, 10, 10] });
  expect(lines.join('\n')).toContain('MISSED');
});

it('takes medians and percentiles by rank', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2);
  const sorted = Float64Array.from({ length: 100 }, (_, index) => index + 1);
  expect(percentile(sorted, 0.99)).toBe(99);
  expect(percentile(sorted, 1)).toBe(100);
});
