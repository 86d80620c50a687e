import type { ErrorCode } from '@fanfare/protocol';
import { FanfareClientError } from '../errors.js';
import type { PublishResult } from '../publishing.js';

/** What the gateway answers about one message of a batch. */
export type ItemReply = Omit<PublishResult, 'key'> | { readonly error: Problem };

interface Problem {
  readonly code: ErrorCode;
  readonly message?: string;
  /** What went wrong, in place of `message` if it concerns the whole request. */
  readonly detail?: string;
  readonly retryable: boolean;
  /** When to try again, ms from now. */
  readonly retryAfter?: number;
}

/** The answer to a request. With `error` alone nothing was done; with `isUnknown` it may or may not have been done. */
type Answer =
  | { readonly results: readonly ItemReply[] }
  | { readonly error: FanfareClientError; readonly isUnknown: boolean };

interface Call {
  /** The address of the call. */
  readonly url: string;
  readonly apiKey: string;
  readonly body: string;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/** The codes by which runtimes say that no connection was made, so that nothing was sent. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;

/** Sends messages to one gateway, once. It never rejects. */
export async function post({ url, apiKey, body, timeoutMs, fetch }: Call): Promise<Answer> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    const { code, cause: inner } = cause as { code?: unknown; cause?: { code?: unknown } };
    const isUnknown = !NOT_SENT.test(String(inner?.code ?? code));
    return { error: unreachable(url, `no answer (${cause})`, true, cause), isUnknown };
  }
  const answer = parse(text);
  if (status === 200 && answer.results) return { results: answer.results };
  // A proxy may have a `code` too, but only a gateway always says whether to try again.
  if (answer.code && typeof answer.retryable === 'boolean')
    return { error: errorOf(answer as Problem), isUnknown: answer.code === 'outcome_unknown' };
  // The answer is not from a gateway, but from a proxy that waited in vain for one, or from some other server.
  const isUnknown = status < 400 || status >= 500 || status === 408;
  return { error: unreachable(url, `answered by ${status}`, isUnknown || status === 429), isUnknown };
}

export function errorOf({ code, message, detail, retryable, retryAfter }: Problem, channel?: string) {
  return new FanfareClientError(code, message ?? detail ?? code, { retryable, retryAfterMs: retryAfter, channel });
}

function unreachable(url: string, why: string, retryable: boolean, cause?: unknown): FanfareClientError {
  return new FanfareClientError('unreachable', `${url}: ${why}`, { retryable, cause });
}

function parse(text: string): { readonly results?: readonly ItemReply[] } & Partial<Problem> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
