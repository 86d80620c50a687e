import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../test/support/manual-clock.js';
import { FanfareError } from './errors.js';
import { startPatiently } from './patience.js';
import { tellsOfNoAccess } from './redis/reply-errors.js';

const away = new FanfareError('unavailable', 'connect ECONNREFUSED');

/** Starts what fails so often with this error, on a clock that moves on by itself. */
async function start(failures: number, error: Error, signal?: AbortSignal) {
  const clock = new ManualClock();
  const reasons: string[] = [];
  let attempts = 0;
  const outcome = startPatiently(
    async () => {
      if (attempts++ < failures) throw error;
      return 'started';
    },
    { clock, isLasting: tellsOfNoAccess, onWaiting: (reason) => reasons.push(reason), signal },
  ).catch((failure: Error) => failure);
  for (let n = 0; n < 10; n++) {
    await nextTurn();
    clock.advance(2_000);
  }
  return { outcome: await outcome, reasons, attempts };
}

it('waits for what is away, and says why each time', async () => {
  expect(await start(3, away)).toEqual({ outcome: 'started', reasons: Array(3).fill(away.message), attempts: 4 });
});

it.each([
  ['a login that is refused', new FanfareError('unavailable', 'WRONGPASS invalid username-password pair')],
  ['anything but unavailable', new FanfareError('internal', 'no')],
  ['what is no answer of ours', new Error('no')],
])('does not wait for %s', async (_, error) => {
  expect(await start(3, error)).toEqual({ outcome: error, reasons: [], attempts: 1 });
});

it('gives up where it is told to', async () => {
  const { outcome, attempts, reasons } = await start(100, away, AbortSignal.abort(new Error('stopped')));
  expect(outcome).toMatchObject({ message: 'stopped' });
  expect([attempts, reasons]).toEqual([1, []]);
});
