import { FanfareError } from '../errors.js';

/**
 * The parameters of a request. `URLSearchParams` alone would put U+FFFD for what is no UTF-8.
 * @throws {FanfareError} if its percent-encoding is wrong.
 */
export function readQuery(query: string): URLSearchParams {
  try {
    decodeURIComponent(query);
  } catch {
    throw new FanfareError('bad_request', 'the query must be percent-encoded UTF-8');
  }
  return new URLSearchParams(query);
}
