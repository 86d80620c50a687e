import { STATUS_CODES } from 'node:http';

/** `404` as `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`;
}

/** 1xx, 204 and 304 have no body and no `Content-Length` (RFC 9110 section 8.6). */
export function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

/** A list header (`Sec-WebSocket-Protocol`) as its items. */
export function listItems(value: string): string[] {
  return value === ''
    ? []
    : value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
}
