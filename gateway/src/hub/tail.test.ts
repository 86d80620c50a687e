import { describe, expect, it } from 'vitest';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { Tail } from './tail.js';

const at = (offset: number, epoch = 1): LogPosition => ({ epoch, offset });
/** Stored at its offset in seconds. */
const record = (offset: number, epoch = 1, size = 10) => ({ epoch, offset, size, time: offset * 1_000 }) as LogRecord;
const records = (from: number, to: number, epoch = 1) =>
  Array.from({ length: to - from + 1 }, (_, index) => record(from + index, epoch));

function createTail(maxEntries = 4, maxBytes = 1_000): Tail {
  return new Tail('a', maxEntries, maxBytes, at(0));
}

/** Offsets of what it holds after a position. */
function after(tail: Tail, position: LogPosition): number[] {
  const offsets: number[] = [];
  for (let entry = tail.after(position); entry; entry = tail.after(entry.record)) offsets.push(entry.record.offset);
  return offsets;
}

describe('a tail', () => {
  it('gives what follows a position that it holds, or that it starts after', () => {
    const tail = createTail();
    for (const one of records(1, 3)) tail.push(one);
    expect([0, 1, 2, 3].map((offset) => after(tail, at(offset)))).toEqual([[1, 2, 3], [2, 3], [3], []]);
  });

  it('keeps the newest, by number and by bytes', () => {
    const byNumber = createTail(4);
    const byBytes = createTail(100, 30);
    for (const one of records(1, 50)) {
      byNumber.push(one);
      byBytes.push(one);
    }
    expect([after(byNumber, at(46)), after(byNumber, at(45))]).toEqual([[47, 48, 49, 50], []]);
    expect([after(byBytes, at(47)), after(byBytes, at(46))]).toEqual([[48, 49, 50], []]);
  });

  it('holds nothing of a record larger than all it may hold, and goes on behind it', () => {
    const tail = createTail(4, 30);
    tail.push(record(1));
    tail.push(record(2, 1, 500));
    expect([after(tail, at(0)), after(tail, at(1))]).toEqual([[], []]);
    tail.push(record(3));
    expect(after(tail, at(2))).toEqual([3]);
  });

  it('knows a place by its epoch: the same offset of another one is another place', () => {
    const tail = createTail();
    tail.push(record(1));
    tail.push(record(2, 2));
    expect([after(tail, at(1)), after(tail, at(1, 2)), after(tail, at(2)), after(tail, at(0, 2))]).toEqual([
      [2],
      [],
      [],
      [],
    ]);
  });

  it('begins with the end of the log, as far as that leads to the head without a hole', () => {
    const lineage = [
      { epoch: 1, baseOffset: 0 },
      { epoch: 2, baseOffset: 6 },
    ];
    const whole = createTail(10);
    whole.fill([...records(5, 6), ...records(7, 8, 2)], lineage, at(8, 2));
    expect([after(whole, at(4)), after(whole, at(6)), after(whole, at(6, 2))]).toEqual([[5, 6, 7, 8], [7, 8], []]);
    const holed = createTail(10);
    holed.fill([record(3), ...records(5, 6)], lineage, at(6));
    expect([after(holed, at(2)), after(holed, at(4))]).toEqual([[], [5, 6]]);
    const short = createTail(10);
    short.fill(records(3, 5), lineage, at(6));
    expect([after(short, at(4)), short.positionAt(6)]).toEqual([[], at(6)]);
    const empty = createTail(10);
    empty.fill([], lineage, at(6));
    expect([after(empty, at(5)), empty.positionAt(6)]).toEqual([[], at(6)]);
  });

  it('is empty after a reset, and goes on from there', () => {
    const tail = createTail();
    for (const one of records(1, 3)) tail.push(one);
    tail.reset(at(9, 2));
    expect(after(tail, at(1))).toEqual([]);
    tail.push(record(10, 2));
    expect(after(tail, at(9, 2))).toEqual([10]);
  });

  it('tells where a time begins, unless that may lie before it', () => {
    const tail = createTail();
    for (const one of records(1, 6)) tail.push(one);
    expect(tail.since(4_000)).toMatchObject(at(3));
    expect(tail.since(3_500)).toMatchObject(at(3));
    expect(tail.since(9_000)).toMatchObject(at(6));
    // The oldest it holds is of that time: others may be too.
    expect([tail.since(3_000), tail.since(1_000)]).toEqual([undefined, undefined]);
    const whole = createTail(10);
    for (const one of records(1, 6)) whole.push(one);
    expect(whole.since(0)).toEqual(at(0));
  });
});
