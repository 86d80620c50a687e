import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from './fifo.js';

it('is a list whose front is taken, whatever is done to it', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 2000 }) }),
    fc.record({ take: fc.integer({ min: 0, max: 1500 }) }),
    fc.record({ peek: fc.integer({ min: 0, max: 1500 }) }),
    fc.record({ drop: fc.integer({ min: 0, max: 1500 }) }),
    fc.constant({ shift: true }),
    fc.record({ putBack: fc.integer({ min: 0, max: 1500 }) }),
  );
  const run = fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const fifo = new Fifo<number>();
    let list: number[] = [];
    let next = 0;
    const some = (count: number) => Array.from({ length: count }, () => next++);
    for (const one of steps) {
      if ('push' in one) {
        for (const item of some(one.push)) {
          fifo.push(item);
          list.push(item);
        }
      } else if ('take' in one) expect(fifo.take(one.take)).toEqual(list.splice(0, one.take));
      else if ('peek' in one) expect(fifo.peek(one.peek)).toEqual(list.slice(0, one.peek));
      else if ('drop' in one) {
        fifo.drop(one.drop);
        list.splice(0, one.drop);
      } else if ('shift' in one) expect(fifo.shift()).toBe(list.shift());
      else {
        const items = some(one.putBack);
        fifo.putBack(items);
        list = [...items, ...list];
      }
      expect([fifo.length, fifo.isEmpty, fifo.at(0), fifo.at(1)]).toEqual([
        list.length,
        list.length === 0,
        list[0],
        list[1],
      ]);
    }
  });
  fc.assert(run, { numRuns: 100 });
});
