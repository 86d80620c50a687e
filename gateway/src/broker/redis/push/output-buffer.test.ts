import { expect, it } from 'vitest';
import { bufferProblem, pagesAtATime, parseBufferLimit } from './output-buffer.js';

const MIB = 1024 * 1024;

it('reads what CONFIG GET says, where 0 is no limit', () => {
  const limits = (pubsub: string) => parseBufferLimit(`normal 0 0 0 slave 268435456 67108864 60 pubsub ${pubsub}`);
  expect(limits('33554432 8388608 60')).toEqual({ hardBytes: 32 * MIB, softBytes: 8 * MIB });
  expect(limits('33554432 0 0')).toEqual({ hardBytes: 32 * MIB, softBytes: Number.POSITIVE_INFINITY });
  expect(parseBufferLimit('normal 0 0 0')).toBeUndefined();
});

it.each([
  // Redis' defaults, which are assumed where it does not tell.
  [undefined, 65_536, 32],
  [undefined, 4 * MIB, 2],
  [undefined, 16 * MIB, 1],
  [{ hardBytes: 256 * MIB, softBytes: 64 * MIB }, 4 * MIB, 16],
  [{ hardBytes: 2 * MIB, softBytes: Number.POSITIVE_INFINITY }, 65_536, 4],
  [{ hardBytes: Number.POSITIVE_INFINITY, softBytes: Number.POSITIVE_INFINITY }, 4 * MIB, 32],
])('lets pages fill half of the room at most: limit %j, messages of %i bytes', (limit, maxMessageBytes, pages) => {
  expect(pagesAtATime(limit, maxMessageBytes)).toBe(pages);
});

it('refuses a limit under four of the largest messages', () => {
  expect(bufferProblem({ hardBytes: 32 * MIB, softBytes: 8 * MIB }, 8 * MIB)).toBeUndefined();
  expect(bufferProblem({ hardBytes: 32 * MIB, softBytes: 8 * MIB }, 8 * MIB + 1)).toMatch(/33554432 bytes/);
});
