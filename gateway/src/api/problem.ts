/** Errors of the HTTP API: `application/problem+json` (RFC 9457) with a stable `code`. */
import { ERROR_CODES, type ErrorCode, MalformedFrameError, RESET_REASONS, type ResetReason } from '@fanfare/protocol';
import { FanfareError as Failure, type FanfareError, toFanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';

/** Codes that only the HTTP API has. All other codes are those of the protocol. */
export const HTTP_CODES = {
  not_found: { httpStatus: 404, meaning: 'no such path' },
  method_not_allowed: { httpStatus: 405, meaning: 'the path takes another method, see `Allow`' },
  unsupported_media_type: { httpStatus: 415, meaning: 'the body must be JSON, and not compressed' },
  upgrade_required: { httpStatus: 426, meaning: 'the path is for WebSockets' },
} as const;

type HttpCode = keyof typeof HTTP_CODES;
type ProblemCode = ErrorCode | ResetReason | HttpCode;
export type Header = readonly [name: string, value: string];

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The `retryAfter` of 429 and 503 answers where nothing better is known, ms. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

export function problem(code: HttpCode | ResetReason, detail: string, headers: readonly Header[] = []): HttpResponse {
  const status = code in RESET_REASONS ? 409 : HTTP_CODES[code as HttpCode].httpStatus;
  return respond(status, { code, detail, retryable: false }, headers);
}

/** An error as the answer to a request. */
export function toProblem(error: FanfareError): HttpResponse {
  const { code, message: detail, retryable } = error;
  const status = ERROR_CODES[code].httpStatus;
  const headers: Header[] = status === 401 ? [['www-authenticate', 'Bearer']] : [];
  if (!retryable) return respond(status, { code, detail, retryable }, headers);
  const retryAfter = error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
  headers.push(['retry-after', String(Math.max(1, Math.ceil(retryAfter / 1_000)))]);
  return respond(status, { code, detail, retryable, retryAfter }, headers);
}

/** An error as an item in the results of a batch. */
export function toErrorItem(error: FanfareError): string {
  const { code, message, retryable } = error;
  const retryAfter = retryable ? (error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) : undefined;
  return JSON.stringify({ error: { code, message, retryable, ...(retryAfter !== undefined && { retryAfter }) } });
}

/** Any thrown value as an error that the caller may be told. Malformed input is the caller's fault. */
export function toFailure(error: unknown): FanfareError {
  return error instanceof MalformedFrameError ? new Failure('bad_request', error.message) : toFanfareError(error);
}

interface ProblemMembers {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly retryable: boolean;
  /** When the caller may try again, ms. */
  readonly retryAfter?: number;
}

function respond(status: number, members: ProblemMembers, headers: readonly Header[]): HttpResponse {
  return {
    status,
    headers: [['content-type', 'application/problem+json'], ...headers],
    body: JSON.stringify({ type: 'about:blank', title: TITLES[status], status, ...members }),
  };
}
