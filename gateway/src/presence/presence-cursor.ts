import { FanfareError } from '../errors.js';
import { memberKey, type PresencePage } from './presence-store.js';

/** The cursor by which the next page is asked for; nothing if this page ends the list. */
export function cursorBehind({ members, more }: PresencePage): { readonly cursor?: string } {
  const last = members.at(-1);
  return more && last ? { cursor: Buffer.from(memberKey(last)).toString('base64url') } : {};
}

/** The member behind which a page begins; `''` without a cursor. @throws {FanfareError} `bad_request` */
export function decodeCursor(cursor: string | undefined): string {
  if (cursor === undefined) return '';
  const key = Buffer.from(cursor, 'base64url').toString();
  if (!/^[\w-]+$/.test(cursor) || !/^[us]:/.test(key))
    throw new FanfareError('bad_request', 'cursor must come from an earlier answer');
  return key;
}
