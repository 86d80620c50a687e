/**
 * Error and close codes, in the same tables as in `docs/PROTOCOL.md`. What a client needs of them is said by functions,
 * so that its bundle does not carry the tables. Tests compare all three.
 */

/** The codes of `error` frames, and of problem+json bodies of the HTTP API. */
export const ERROR_CODES = {
  bad_request: { retryable: false, httpStatus: 400, meaning: 'malformed or not allowed by the protocol' },
  unauthorized: { retryable: false, httpStatus: 401, meaning: 'no valid credentials' },
  forbidden: { retryable: false, httpStatus: 403, meaning: 'the credentials do not allow this' },
  token_expired: { retryable: false, httpStatus: 401, meaning: 'the token has expired' },
  unknown_channel: { retryable: false, httpStatus: 404, meaning: 'the namespace is not configured' },
  not_subscribed: { retryable: false, httpStatus: 409, meaning: 'the connection is not on that channel' },
  outcome_unknown: {
    retryable: false,
    httpStatus: 503,
    meaning: 'the publish may or may not be in the log; give a key to make a retry safe',
  },
  already_subscribed: { retryable: false, httpStatus: 409, meaning: 'the connection is on that channel already' },
  too_large: { retryable: false, httpStatus: 413, meaning: 'frame or message over its size limit' },
  rate_limited: { retryable: true, httpStatus: 429, meaning: 'too fast; retry after `retryAfter` ms' },
  limit_exceeded: { retryable: false, httpStatus: 429, meaning: 'a count limit is reached' },
  unavailable: { retryable: true, httpStatus: 503, meaning: 'the channel cannot be served now' },
  internal: { retryable: false, httpStatus: 500, meaning: 'a fault of the gateway' },
} as const satisfies Record<string, { retryable: boolean; httpStatus: number; meaning: string }>;

/** The code of an `error` frame or of an error of the HTTP API: a name in `ERROR_CODES`. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether the same request may succeed later, as far as its error code says. */
export function isRetryable(code: string): boolean {
  return code === 'rate_limited' || code === 'unavailable';
}

/**
 * The reasons why continuity broke, as `reset` frames, a `subscribed` that is not recovered, and a 409 of the history
 * call say them.
 */
export const RESET_REASONS = {
  expired: 'messages after the position were trimmed from the log',
  unrecoverable: 'the log does not know the epoch of the position',
  diverged: 'the log lost messages that the position had seen',
} as const;

/** Why a client cannot go on from its position: `expired`, `unrecoverable` or `diverged`. */
export type ResetReason = keyof typeof RESET_REASONS;

export function isResetReason(word: string): word is ResetReason {
  return word === 'expired' || word === 'unrecoverable' || word === 'diverged';
}

/** The names of the close codes. */
export const CLOSE_NAMES = {
  1000: 'normal',
  1001: 'going_away',
  4000: 'drain',
  4001: 'lagging',
  4002: 'timeout',
  4003: 'reconnect',
  4400: 'malformed',
  4401: 'unauthorized',
  4403: 'forbidden',
  4404: 'unsupported_subprotocol',
  4409: 'frame_too_large',
  4429: 'too_many_connections',
} as const;

export type CloseCode = keyof typeof CLOSE_NAMES;
/** The name of a close code, such as those in `CLOSE_CODES`. */
export type CloseName = (typeof CLOSE_NAMES)[CloseCode];

/**
 * The close codes of a WebSocket, and whether a client connects again as it is. The table is written out, because a
 * bundler drops it only if nothing in it has to be looked up.
 */
export const CLOSE_CODES = {
  1000: {
    name: 'normal',
    reconnect: true,
    meaning: 'closed by the client; one that did not close connects again',
  },
  1001: { name: 'going_away', reconnect: true, meaning: 'the gateway stops' },
  4000: { name: 'drain', reconnect: true, meaning: 'reason is JSON {"retryAfter":ms}, spread per client' },
  4001: { name: 'lagging', reconnect: true, meaning: 'lagging too long, or too many replies unread' },
  4002: { name: 'timeout', reconnect: true, meaning: 'no connect frame in time, or silence' },
  4003: { name: 'reconnect', reconnect: true, meaning: 'asked by the server to reconnect' },
  4400: { name: 'malformed', reconnect: false, meaning: 'malformed frame, or ten within a minute' },
  4401: { name: 'unauthorized', reconnect: false, meaning: 'credentials refused' },
  4403: { name: 'forbidden', reconnect: false, meaning: 'disconnected for good' },
  4404: { name: 'unsupported_subprotocol', reconnect: false, meaning: 'no subprotocol in common' },
  4409: { name: 'frame_too_large', reconnect: false, meaning: 'repeated frames over maxFrame' },
  4429: { name: 'too_many_connections', reconnect: true, meaning: 'reconnect later, with backoff' },
} as const satisfies Record<CloseCode, { name: CloseName; reconnect: boolean; meaning: string }>;

/**
 * Whether a client should connect again after this close code. Codes outside the table (1006,
 * proxies) reconnect, except unknown ones in 4400-4499.
 */
export function shouldReconnect(code: number): boolean {
  return code === 4429 || code < 4400 || code > 4499;
}
