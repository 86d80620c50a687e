import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { DrainQueue } from './drain-queue.js';

function setUp() {
  const clock = new ManualClock();
  const socket = { isDrained: false };
  const queue = new DrainQueue(clock, () => socket.isDrained);
  const woken: string[] = [];
  const wait = (name: string) => void queue.wait().then(() => woken.push(name));
  return { clock, socket, queue, woken, wait };
}

it('wakes one after another, as long as the socket stays drained', async () => {
  const { clock, socket, queue, woken, wait } = setUp();
  for (const name of ['a', 'b', 'c']) wait(name);
  queue.wake();
  await nextTurn();
  expect(woken).toEqual([]);
  socket.isDrained = true;
  queue.wake();
  await nextTurn();
  expect(woken).toEqual(['a']);
  clock.advance(0);
  await nextTurn();
  expect(woken).toEqual(['a', 'b', 'c']);
});

it('lets the others wait on when the first has filled the socket again', async () => {
  const { clock, socket, queue, woken, wait } = setUp();
  for (const name of ['a', 'b']) wait(name);
  socket.isDrained = true;
  queue.wake();
  socket.isDrained = false;
  clock.advance(0);
  await nextTurn();
  expect(woken).toEqual(['a']);
  socket.isDrained = true;
  queue.wake();
  await nextTurn();
  expect(woken).toEqual(['a', 'b']);
});

it('lets nobody wait where nothing is to be waited for', async () => {
  const { socket, queue, woken, wait } = setUp();
  wait('a');
  wait('b');
  queue.end();
  await nextTurn();
  expect(woken).toEqual(['a', 'b']);
  wait('late');
  await nextTurn();
  expect(woken).toEqual(['a', 'b', 'late']);
  const other = setUp();
  other.socket.isDrained = true;
  other.wait('c');
  await nextTurn();
  expect(other.woken).toEqual(['c']);
  expect(socket.isDrained).toBe(false);
});
