import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectPage } from '../../../test/support/select-page.js';
import type { ReadRange } from '../broker.js';
import type { LogPosition, LogRecord, NewMessage } from '../record.js';
import { ChannelLog } from './channel-log.js';

const message: NewMessage = { payload: { format: 'json', bytes: Buffer.from('1') } };

function append(log: ChannelLog, count: number, { nowMs = 0, size = 1, historySize = 1e9 } = {}): LogRecord[] {
  return Array.from({ length: count }, () => log.append(message, nowMs, size, historySize));
}

const offset = fc.nat(40);
const epoch = fc.integer({ min: 0, max: 5 });
const position: fc.Arbitrary<LogPosition> = fc.record({ epoch, offset });
const bounds = { limit: fc.nat(12), maxBytes: fc.oneof(fc.constant(1e9), fc.nat(200)) };
const range: fc.Arbitrary<ReadRange> = fc.oneof(
  fc.record({ ...bounds, after: position }),
  fc.record({ ...bounds, before: position }),
  fc.record({ ...bounds, last: fc.constant(true as const) }),
  fc.record({ ...bounds, sinceTime: fc.nat(60) }),
);
const stretch = fc.record({
  entries: fc.array(fc.record({ afterMs: fc.nat(3), size: fc.integer({ min: 1, max: 50 }) }), { maxLength: 12 }),
  lost: fc.nat(4),
});

describe('the log of a channel', () => {
  it('reads any range as the plain model does, whatever happened to it', () => {
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1, maxLength: 4 }), offset, range, (stretches, trimmed, asked) => {
        const log = new ChannelLog(1);
        let entries: LogRecord[] = [];
        let nowMs = 0;
        for (const [index, { entries: sizes, lost }] of stretches.entries()) {
          if (index > 0) {
            const base = Math.max(0, log.head.offset - lost);
            log.beginEpoch(index + 1, base);
            entries = entries.filter((entry) => entry.offset <= base);
          }
          for (const { afterMs, size } of sizes) {
            nowMs += afterMs;
            entries.push(...append(log, 1, { nowMs, size }));
          }
        }
        log.trim(trimmed);
        entries = entries.filter((entry) => entry.offset > trimmed);
        const { head, lineage } = log;
        expect(log.read(asked)).toEqual(selectPage({ head, lineage, entries }, asked));
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps historySize entries and a quarter more at most', () => {
    const log = new ChannelLog(1);
    for (let i = 1; i <= 1000; i++) {
      append(log, 1, { historySize: 100 });
      const { entries } = log.read({ last: true, limit: 1000 });
      expect(entries.length).toBeGreaterThanOrEqual(Math.min(i, 100));
      expect(entries.length).toBeLessThanOrEqual(125);
      expect(entries.at(-1)?.offset).toBe(i);
    }
  });

  it('gives a page that later publishes and losses do not change', () => {
    const log = new ChannelLog(1);
    append(log, 3);
    const page = log.read({ last: true, limit: 10 });
    append(log, 1);
    log.beginEpoch(2, 1);
    expect(page.entries.map((entry) => entry.offset)).toEqual([1, 2, 3]);
    expect([page.head, page.lineage]).toEqual([{ epoch: 1, offset: 3 }, [{ epoch: 1, baseOffset: 0 }]]);
  });

  it('lets no time go backwards, also when the clock does', () => {
    const log = new ChannelLog(1);
    const times = [5, 9, 3, 9, 12].map((nowMs) => append(log, 1, { nowMs })[0]?.time);
    expect(times).toEqual([5, 9, 9, 9, 12]);
    log.trim(Number.POSITIVE_INFINITY);
    expect(append(log, 1, { nowMs: 1 })[0]?.time).toBe(12);
  });

  it('remembers all epochs of its entries, of others 16, and none that began in what was lost', () => {
    const log = new ChannelLog(1);
    for (let next = 2; next <= 20; next++) {
      append(log, 1);
      log.beginEpoch(next, log.head.offset);
    }
    expect(log.lineage.map((one) => one.epoch)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    log.beginEpoch(21, 17);
    expect(log.lineage.at(-2)).toEqual({ epoch: 17, baseOffset: 16 });
    expect(log.lineage.at(-1)).toEqual({ epoch: 21, baseOffset: 17 });
    log.trim(16);
    log.beginEpoch(22, 17);
    // The only entry left is of epoch 17; without it there would be 16.
    expect(log.lineage.map((one) => one.epoch)).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 21, 22].slice(0),
    );
  });
});
