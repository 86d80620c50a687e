import { isName, MAX_NAME_BYTES } from '@fanfare/protocol/validate';
import { FanfareError } from '../errors.js';

/** Reads a field that should be the name of a user, a session or a token. @throws {FanfareError} */
export function readName(field: string, value: unknown): string {
  if (isName(value)) return value;
  throw new FanfareError('bad_request', `${field} must be 1 to ${MAX_NAME_BYTES} bytes of text`);
}
