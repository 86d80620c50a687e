import { expect, it } from 'vitest';
import { payloadOf, Receipts } from './ledger.js';

const MEAN_BYTES = 100;
const ACKNOWLEDGED = Uint32Array.of(1, 2, 0, 3, 4);

function receive(...arrivals: readonly (readonly [n: number, offset: number])[]) {
  const receipts = new Receipts(ACKNOWLEDGED.length, MEAN_BYTES);
  for (const [n, offset] of arrivals) receipts.take(payloadOf(n, MEAN_BYTES), offset);
  return receipts;
}

it('a client that received all that was acknowledged, in order, has a clean balance', () => {
  const clean = { lost: 0, skipped: 0, duplicated: 0, reordered: 0, altered: 0 };
  expect(receive([0, 1], [1, 2], [3, 3], [4, 4]).balance(ACKNOWLEDGED)).toEqual({ received: 4, ...clean });
  // Message 2 was stored, but its publisher never knew.
  const acknowledged = Uint32Array.of(1, 2, 0, 4, 5);
  expect(receive([0, 1], [1, 2], [2, 3], [3, 4], [4, 5]).balance(acknowledged)).toEqual({ received: 5, ...clean });
});

it.each([
  [
    'a message that never came',
    { lost: 1 },
    [
      [0, 1],
      [1, 2],
      [4, 4],
    ],
  ],
  [
    'the last message missing',
    { lost: 1 },
    [
      [0, 1],
      [1, 2],
      [3, 3],
    ],
  ],
  [
    'a message that came again',
    { duplicated: 1 },
    [
      [0, 1],
      [1, 2],
      [3, 3],
      [1, 2],
      [4, 4],
    ],
  ],
  [
    'a message that came after a later one',
    { reordered: 1 },
    [
      [0, 1],
      [3, 3],
      [1, 2],
      [4, 4],
    ],
  ],
  [
    'a message at another position',
    { altered: 1 },
    [
      [0, 1],
      [1, 2],
      [3, 3],
      [4, 5],
    ],
  ],
] as const)('notices %s', (_, expected, arrivals) => {
  expect(receive(...arrivals).balance(ACKNOWLEDGED)).toMatchObject({
    lost: 0,
    skipped: 0,
    duplicated: 0,
    reordered: 0,
    altered: 0,
    ...expected,
  });
});

it('notices a message that came damaged', () => {
  const receipts = receive([0, 1]);
  receipts.take({ n: 1, filler: '' }, 2);
  expect(receipts.balance(ACKNOWLEDGED)).toMatchObject({ altered: 1 });
});

it('tells what a reset told of from what was lost in silence', () => {
  const receipts = receive([0, 1], [4, 4]);
  receipts.reset(1, 2);
  expect(receipts.balance(ACKNOWLEDGED)).toMatchObject({ skipped: 1, lost: 1 });
});
