import { expect, it } from 'vitest';
import { enter, follow } from './continuity.js';

const at = { epoch: '5', offset: 10 };

it.each([
  ['the next one', { offset: 11 }, { epoch: '5', offset: 11 }],
  ['one that covers what follows', { offset: 20, prev: 10 }, { epoch: '5', offset: 20 }],
  ['one that covers what was seen as well', { offset: 20, prev: 3 }, { epoch: '5', offset: 20 }],
  ['one that was seen', { offset: 10 }, 'seen'],
  ['one that covers only what was seen', { offset: 9, prev: 2 }, 'seen'],
  ['one behind a hole', { offset: 12 }, 'gap'],
  ['one that begins behind a hole', { offset: 20, prev: 11 }, 'gap'],
  ['one of a live channel', {}, 'gap'],
] as const)('%s', (_, frame, step) => expect(follow(at, frame)).toEqual(step));

it.each([
  ['where one stands', { epoch: '6', offset: 10 }, { epoch: '6', offset: 10 }],
  ['behind offsets of the epoch before', { epoch: '6', offset: 14, prev: 9 }, { epoch: '6', offset: 14 }],
  ['that one is in', { epoch: '5', offset: 10 }, 'seen'],
  ['behind a hole', { epoch: '6', offset: 12 }, 'gap'],
  ['behind a hole, with offsets', { epoch: '6', offset: 14, prev: 11 }, 'gap'],
  ['before where one stands', { epoch: '6', offset: 9 }, 'gap'],
] as const)('an epoch %s', (_, frame, step) =>
  expect(enter(at, { type: 'epoch', channel: 'a', ...frame })).toEqual(step),
);
