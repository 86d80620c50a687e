import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { Certainty } from './certainty.js';

it('is over with a doubt, and there again with a page that was asked for behind it', () => {
  const certainty = new Certainty(new ManualClock());
  certainty.judged(certainty.doubts);
  expect(certainty.isOpen).toBe(true);
  const { doubts } = certainty;
  certainty.doubt();
  expect(certainty.isOpen).toBe(false);
  certainty.judged(doubts);
  expect(certainty.isOpen).toBe(false);
  certainty.judged(certainty.doubts);
  expect(certainty.isOpen).toBe(true);
});

it('is waited for so long, and no longer', async () => {
  const clock = new ManualClock();
  const certainty = new Certainty(clock);
  const inVain = certainty.passed(100);
  const inTime = certainty.passed(200);
  clock.advance(100);
  await expect(inVain).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  certainty.judged(certainty.doubts);
  await inTime;
  expect(certainty.passed(100)).toBeUndefined();
  expect(clock.timers).toBe(0);
});
