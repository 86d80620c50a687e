import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { FanfareError } from '../errors.js';
import { OwnPublishes } from './own-publishes.js';

const at = (offset: number) => ({ epoch: 1, offset });

/** A channel that has flushed up to 1, and whose publishers were told 2. */
function setUp(catchUp: (flush: (offset: number) => void) => Promise<void> = async () => {}) {
  const clock = new ManualClock();
  const topic = { flushed: at(1) };
  let wake = () => {};
  const flush = (offset: number) => {
    topic.flushed = at(offset);
    channel.cursor = at(offset);
    wake();
  };
  const looks: number[] = [];
  const channel = {
    cursor: at(1),
    queue: {
      pending: 0,
      flushing: () =>
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
      progress: async () => {},
    },
    catchUp({ offset }: { offset: number }) {
      looks.push(offset);
      return catchUp(flush);
    },
  };
  const publishes = new OwnPublishes(channel, clock);
  publishes.answered([{ position: at(2) }, new FanfareError('unavailable', 'not stored'), {}]);
  const join = () => {
    const joined = { isOver: false };
    void publishes.flushed(topic).then(() => {
      joined.isOver = true;
    });
    return joined;
  };
  return { clock, flush, looks, publishes, join };
}

it('who joins behind a publish waits until it was flushed', async () => {
  const { flush, join, looks } = setUp();
  const joined = join();
  await nextTurn();
  expect(joined.isOver).toBe(false);
  flush(2);
  await nextTurn();
  expect([joined.isOver, looks]).toEqual([true, []]);
});

it('nobody waits for what was flushed, nor for what is published later', async () => {
  const { flush, join, publishes } = setUp();
  const early = join();
  publishes.answered([{ position: at(3) }]);
  flush(2);
  await nextTurn();
  expect(early.isOver).toBe(true);
  flush(3);
  const late = join();
  await nextTurn();
  expect(late.isOver).toBe(true);
});

it('a push that does not come is looked for in the log', async () => {
  const { clock, join, looks } = setUp(async (flush) => flush(2));
  const joined = join();
  await nextTurn();
  clock.advance(199);
  await nextTurn();
  expect([joined.isOver, looks]).toEqual([false, []]);
  clock.advance(1);
  await nextTurn();
  expect([joined.isOver, looks]).toEqual([true, [2]]);
});

it('who joins behind a publish that was answered while another join waited waits for it too', async () => {
  const { flush, join, publishes } = setUp();
  const early = join();
  publishes.answered([{ position: at(3) }]);
  flush(2);
  await nextTurn();
  const late = join();
  await nextTurn();
  expect([early.isOver, late.isOver]).toEqual([true, false]);
  flush(3);
  await nextTurn();
  expect(late.isOver).toBe(true);
});

it('a publish that the log has lost keeps nobody out, and is looked for once', async () => {
  const { clock, join, looks } = setUp(async () => {
    throw new FanfareError('unavailable', 'the gateway is behind the log');
  });
  const first = join();
  await nextTurn();
  clock.advance(200);
  await nextTurn();
  const second = join();
  await nextTurn();
  expect([first.isOver, second.isOver, looks]).toEqual([true, true, [2]]);
});
