import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, ERROR_CODES, isResetReason, isRetryable, RESET_REASONS, shouldReconnect } from './codes.js';

describe('what a client is told by functions', () => {
  it('is what the tables say', () => {
    for (const [code, { retryable }] of Object.entries(ERROR_CODES))
      expect([code, isRetryable(code)]).toEqual([code, retryable]);
    for (const [code, { reconnect }] of Object.entries(CLOSE_CODES))
      expect([code, shouldReconnect(Number(code))]).toEqual([code, reconnect]);
    for (const reason of Object.keys(RESET_REASONS)) expect(isResetReason(reason)).toBe(true);
  });

  it('takes what no table has for a broken connection, but a refusal where the code is of that kind', () => {
    expect([1006, 1011, 4399, 4500].map(shouldReconnect)).toEqual([true, true, true, true]);
    expect([4402, 4499].map(shouldReconnect)).toEqual([false, false]);
    expect([isRetryable('toString'), isResetReason('toString')]).toEqual([false, false]);
  });
});
