import { timingSafeEqual } from 'node:crypto';
import type { Identity } from '../auth/authenticator.js';

/** Longest key that can be configured. */
const MAX_KEY_LENGTH = 256;

/** A backend with an API key: no user of its own, may do everything. */
export const API_KEY_IDENTITY: Identity = { allows: () => true };

/** Whether an `Authorization` header holds one of the API keys. */
export type KeyCheck = (authorization: string) => boolean;

/** Takes the same time whatever part of the key is right. */
export function createKeyCheck(apiKeys: readonly string[]): KeyCheck {
  const keys = apiKeys.map((key) => padded(Buffer.alloc(MAX_KEY_LENGTH), key));
  const asked = Buffer.alloc(MAX_KEY_LENGTH);
  return (authorization) => {
    const key = bearerToken(authorization);
    if (key === '' || key.length > MAX_KEY_LENGTH) return false;
    padded(asked, key);
    let found = false;
    for (const one of keys) found = timingSafeEqual(asked, one) || found;
    return found;
  };
}

/** The token of an `Authorization: Bearer` header; `''` if it is none. */
function bearerToken(authorization: string): string {
  return /^bearer +/i.test(authorization) ? authorization.slice(7).trim() : '';
}

/** Keys hold no NUL, so that padding makes no two of them equal. */
function padded(buffer: Buffer, key: string): Buffer {
  buffer.fill(0);
  buffer.write(key, 'latin1');
  return buffer;
}
