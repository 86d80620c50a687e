import { expect, it } from 'vitest';
import type { LogRecord } from '../broker/record.js';
import { HeldRecords } from './held-records.js';

const LINEAGE = [{ epoch: 1, baseOffset: 0 }];

function held(bufferRecords = 100, bufferBytes = 1_000) {
  const records = new HeldRecords({ bufferRecords, bufferBytes });
  const hold = (...offsets: number[]) => {
    for (const offset of offsets) records.hold({ epoch: 1, offset, size: 10 } as LogRecord);
  };
  /** Explains all up to `last`. */
  const release = (last: number) => {
    const asked: number[] = [];
    const isAll = records.release(({ offset }) => {
      asked.push(offset);
      return offset <= last;
    });
    return { isAll, asked };
  };
  return { records, hold, release };
}

it('lets go of what is explained, in the order of the pushes, and keeps the rest', () => {
  const { records, hold, release } = held();
  hold(3, 4, 6);
  expect(release(4)).toEqual({ isAll: false, asked: [3, 4, 6] });
  expect(records.isEmpty).toBe(false);
  hold(7);
  expect(release(7)).toEqual({ isAll: true, asked: [6, 7] });
  expect(records.isEmpty).toBe(true);
});

it.each([
  ['records', 2, 1_000],
  ['bytes', 100, 20],
])('keeps the newest of too many %s, whether it came last or not', (_, bufferRecords, bufferBytes) => {
  const { hold, release } = held(bufferRecords, bufferBytes);
  hold(1, 2, 3);
  expect(release(2)).toEqual({ isAll: false, asked: [3] });
  hold(4, 1);
  expect(release(3)).toEqual({ isAll: false, asked: [4] });
  hold(5);
  expect(release(5)).toEqual({ isAll: true, asked: [4, 5] });
});

it('counts the bytes only of what it still holds', () => {
  const { hold, release } = held(100, 30);
  hold(1, 2, 9);
  release(2);
  hold(10, 11);
  expect(release(11)).toEqual({ isAll: true, asked: [9, 10, 11] });
});

it('is strange to a log that has not the epoch of a record, also of one that came when there were too many', () => {
  const { records, hold } = held(2);
  hold(1, 2);
  expect(records.isStrangeTo(LINEAGE)).toBe(false);
  records.hold({ epoch: 2, offset: 3, size: 10 } as LogRecord);
  expect(records.isStrangeTo(LINEAGE)).toBe(true);
  expect(records.isStrangeTo([...LINEAGE, { epoch: 2, baseOffset: 2 }])).toBe(false);
  records.forget();
  expect(records.isStrangeTo(LINEAGE)).toBe(false);
});
