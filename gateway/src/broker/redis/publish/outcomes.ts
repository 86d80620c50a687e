/** What the publisher of a message is told where there is no position for it. */
import { FanfareError } from '../../../errors.js';
import { whyNoWrites } from '../../../redis/reply-errors.js';

/** When publishers are told to come back, as part of `unavailable`, ms. */
const RETRY_AFTER_MS = 1000;

export function unavailable(cause: unknown): FanfareError {
  return new FanfareError('unavailable', `the channel cannot be published to now${whyNoWrites(cause)}`, {
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

export function outcomeUnknown(cause: unknown, hasKey: boolean): FanfareError {
  const advice = hasKey ? 'publish it again with its key to find out' : 'with a key it could be retried';
  return new FanfareError('outcome_unknown', `the message may or may not be published; ${advice}`, { cause });
}
