import {
  CLOSE_NAMES,
  type CloseName,
  type ErrorCode,
  type ErrorFrame,
  isResetReason,
  isRetryable,
  type ResetReason,
} from '@fanfare/protocol';
import type { Issue } from './channels/standard-schema.js';

/**
 * What an error of the SDK can say, besides the codes of the protocol: `ERROR_CODES`, and the names of `CLOSE_CODES` for
 * a connection that the gateway ended for good.
 *
 * - `closed`: `client.close()` was called, or the subscription had ended.
 * - `timeout`: The request was not sent in time, or it only reads and was not answered in time. Nothing was changed by it.
 *   If there was no connection, `cause` says why.
 * - `unreachable`: No connection to the gateway could be made, or it broke. The client goes on trying.
 * - `no_websocket`: This runtime has no WebSocket, and the `ws` package is not installed. The client has failed.
 * - `handler_failed`: A listener of the application threw or rejected, and `cause` is what it threw.
 * - `token_failed`: The `token` function threw or rejected, and `cause` is what it threw.
 * - `load_failed`: The `load` function of a state threw or rejected, and `cause` is what it threw.
 * - `store_failed`: A store of positions threw or rejected, and `cause` is what it threw.
 * - `user_changed`: The message was not sent, because another user is connected now than when it was published.
 * - `malformed_frame`: The gateway sent something that is no frame.
 * - `invalid_data`: The data is not what the channel's schema allows, and `issues` says what is wrong.
 * - `wrong_kind`: The channel was declared live and is durable at the gateway, or the other way round.
 */
export type ClientErrorCode =
  | ErrorCode
  | CloseName
  | 'closed'
  | 'timeout'
  | 'unreachable'
  | 'no_websocket'
  | 'handler_failed'
  | 'token_failed'
  | 'load_failed'
  | 'store_failed'
  | 'user_changed'
  | 'malformed_frame'
  | 'invalid_data'
  | 'wrong_kind';

/** What an error has besides its code and its text. */
export interface FanfareClientErrorOptions {
  /**
   * Whether the same call may succeed later. The default is what the protocol says of the code, and false for codes that
   * the protocol does not have.
   */
  readonly retryable?: boolean;
  /** The call may be tried again after so many ms. It is given where the gateway said so. */
  readonly retryAfterMs?: number | undefined;
  /** The channel it is about, if it is about one. */
  readonly channel?: string | undefined;
  /** Why the position that was given to `history` cannot be used, if that is what the `bad_request` is about. */
  readonly reason?: ResetReason | undefined;
  /** What the schema found, if the code is `invalid_data`. */
  readonly issues?: readonly Issue[];
  /** What led to it, such as what a listener threw. */
  readonly cause?: unknown;
}

/** Every error of the SDK is one of these. Callers branch on `code`, never on the text. */
export class FanfareClientError extends Error {
  /** The name by which {@link isFanfareError} knows it, also if another copy of the package made it. */
  override readonly name = 'FanfareClientError';
  /** What happened, as one of {@link ClientErrorCode}. */
  readonly code: ClientErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  // Declared only: what an error does not have is no field of it, and is not printed.
  /** The call may be tried again so many ms after the error was told. It is there only where the gateway said so. */
  declare readonly retryAfterMs?: number;
  /** The channel it is about, if it is about one. */
  declare readonly channel?: string;
  /**
   * Why the position that was given to `history` cannot be used: `expired`, `unrecoverable` or `diverged`. It is there
   * only if the `bad_request` is about that.
   */
  declare readonly reason?: ResetReason;
  /** What the schema found, if the code is `invalid_data`. */
  declare readonly issues?: readonly Issue[];

  /**
   * Creates an error. Applications throw one with `retryable: false` from a `token` or `load` function, to say that the
   * failure is final.
   */
  constructor(code: ClientErrorCode, message: string, options: FanfareClientErrorOptions = {}) {
    const { retryable = isRetryable(code), cause, ...details } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryable;
    for (const [name, value] of Object.entries(details))
      if (value !== undefined) Object.assign(this, { [name]: value });
  }
}

export function badRequest(message: string, options?: FanfareClientErrorOptions): FanfareClientError {
  return new FanfareClientError('bad_request', message, options);
}

/**
 * Returns whether something that was thrown is an error of the SDK. It works across two copies of the package too, where
 * `instanceof` does not.
 */
export function isFanfareError(error: unknown): error is FanfareClientError {
  return (error as Error | undefined)?.name === 'FanfareClientError';
}

/** Returns an `error` frame as an error. */
export function errorOfFrame(frame: ErrorFrame, channel?: string): FanfareClientError {
  return new FanfareClientError(frame.code, frame.message, {
    retryable: frame.retryable,
    retryAfterMs: frame.retryAfter,
    reason: frame.code === 'bad_request' ? reasonIn(frame.message) : undefined,
    channel,
  });
}

/** Returns the reason of a `bad_request`. The protocol lets its message begin with that. */
function reasonIn(message: string): ResetReason | undefined {
  const [word = ''] = message.split(/\W/, 1);
  return isResetReason(word) ? word : undefined;
}

/** Returns the error of a close code that ends the connection for good. */
export function errorOfClose(code: number, reason: string): FanfareClientError {
  const name = (CLOSE_NAMES as Record<number, CloseName | undefined>)[code] ?? 'forbidden';
  return new FanfareClientError(name, `closed by the gateway: ${reason || `${name} (${code})`}`);
}

/** Returns the error of a connection that is gone, or was never made, and will be tried again. */
export function errorOfLoss(url: string, code = 1006, reason = '', retryInMs = 0): FanfareClientError {
  const how = reason || (code === 1006 ? 'it cannot be reached' : `closed with ${code}`);
  const next = `tried again in ${(retryInMs / 1000).toFixed(1)} s`;
  return new FanfareClientError('unreachable', `no connection to ${withoutQuery(url)}: ${how}; ${next}`, {
    retryable: true,
  });
}

/** Returns an address without its query, which may hold a token. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*/, '');
}

/** Returns the error of what a listener or a function of the application threw. */
export function handlerFailed(cause: unknown, channel?: string): FanfareClientError {
  const where = channel === undefined ? '' : ` of ${channel}`;
  return new FanfareClientError('handler_failed', `a listener${where} failed: ${cause}`, { cause, channel });
}

export function closedError(): FanfareClientError {
  return new FanfareClientError('closed', 'the client was closed');
}
