import { ERROR_CODES, type ErrorCode } from '@fanfare/protocol';

interface FanfareErrorOptions {
  readonly cause?: unknown;
  /** When to try again, ms. Clients are told it as `retryAfter` and `Retry-After`. */
  readonly retryAfterMs?: number;
}

/**
 * What a client is told about an error. Where there are very many of these it is no `Error`, because making a stack
 * costs more than everything else.
 */
export type ErrorAnswer = Pick<FanfareError, 'code' | 'message' | 'retryable' | 'retryAfterMs'>;

/** An error that a client may see. Callers branch on `code`, never on the text. */
export class FanfareError extends Error {
  override readonly name = 'FanfareError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: FanfareErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Any error as one that a client may see. It says nothing about the inside of an unforeseen fault; the caller logs the
 * cause.
 */
export function toFanfareError(error: unknown): FanfareError {
  if (error instanceof FanfareError) return error;
  return new FanfareError('internal', 'internal error', { cause: error });
}
