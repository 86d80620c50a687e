import { isHistoryLimit, MAX_HISTORY_LIMIT } from '@fanfare/protocol/validate';
import { FanfareError } from '../errors.js';

/**
 * Reads the parameters of a request. `URLSearchParams` alone would replace bytes that are no UTF-8 by U+FFFD.
 * @throws {FanfareError} if the percent-encoding is wrong
 */
export function readQuery(query: string): URLSearchParams {
  try {
    decodeURIComponent(query);
  } catch {
    throw new FanfareError('bad_request', 'the query must be percent-encoded UTF-8');
  }
  return new URLSearchParams(query);
}

/** Reads the most items of a page. @throws {FanfareError} if it is no number that a page may have */
export function readLimit(text: string | null, defaultLimit: number): number {
  if (text === null) return defaultLimit;
  const limit = Number(text);
  if (/^\d+$/.test(text) && isHistoryLimit(limit)) return limit;
  throw new FanfareError('bad_request', `limit must be an integer from 1 to ${MAX_HISTORY_LIMIT}`);
}
