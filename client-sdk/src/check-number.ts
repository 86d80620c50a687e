import { badRequest } from './errors.js';

/** @throws {FanfareClientError} `bad_request` naming what is no number from `least` to `most`. */
export function checkNumber(name: string, value: unknown, least: number, most = Number.POSITIVE_INFINITY): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  const range = most === Number.POSITIVE_INFINITY ? `from ${least} on` : `from ${least} to ${most}`;
  throw badRequest(`${name} must be a number ${range}, not ${value}`);
}
