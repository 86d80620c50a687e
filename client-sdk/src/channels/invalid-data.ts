import { FanfareClientError } from '../errors.js';
import type { Issue } from './standard-schema.js';

/** Returns the error that says what a schema found wrong in data. */
export function invalidData(channel: string, issues: readonly Issue[]): FanfareClientError {
  const found = issues.map(({ message, path = [] }) => {
    const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  return new FanfareClientError('invalid_data', `data of ${channel} is invalid: ${found.join('; ')}`, {
    channel,
    issues,
  });
}
