/**
 * Asks the application over HTTP: one POST for each question, signed in the way of Standard Webhooks. docs/SECURITY.md
 * shows questions and answers.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Payload } from '@fanfare/protocol';
import { parsePublishBody, transcode } from '@fanfare/protocol/raw';
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { Semaphore } from '../semaphore.js';
import { keyOf, signedHeaders } from '../signature.js';
import type { Application, Question, Ruling } from './application.js';
import type { Identity } from './authenticator.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { readClaims } from './claims.js';
import { toIdentity } from './token-authenticator.js';

interface HookOptions {
  readonly url: string;
  /** The secret with which questions are signed. Absent: they are not signed. */
  readonly secret: string | undefined;
  /** How long the application has for one answer, ms. */
  readonly timeoutMs: number;
  /** How long answers about channels are kept if they do not say so themselves, ms. */
  readonly cacheMs: number;
  readonly clock: Clock;
  /** Called with the reason when the application stops answering, and with `undefined` once it answers again. */
  readonly onState?: (problem: string | undefined) => void;
}

/** Most questions that are under way at a time. Others wait. */
const MAX_OPEN_QUESTIONS = 100;
/** Largest answer, bytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Most answers that are kept. The oldest go first. */
const MAX_KEPT = 10_000;
/** The longest time that an answer is kept, whatever it says, ms. */
const MAX_CACHE_MS = 3_600_000;
const UNSURE_RETRY_MS = 1_000;

interface Answer {
  readonly isAllowed: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The field `data` of the answer, still raw. */
  readonly payload: Payload | undefined;
  /** How long the answer may be kept, ms, if it says so. */
  readonly cacheMs: number | undefined;
}

const REFUSED: Answer = { isAllowed: false, fields: {}, payload: undefined, cacheMs: undefined };

export function createHook(options: HookOptions): Application {
  const { clock, cacheMs, onState = () => {} } = options;
  const breaker = new CircuitBreaker({
    clock,
    onState: (failure) => onState(failure === undefined ? undefined : reasonOf(failure)),
  });
  const semaphore = new Semaphore(MAX_OPEN_QUESTIONS);
  const kept = new Kept<Answer>(clock);

  const ask = (body: string): Promise<Answer> =>
    semaphore.run(() =>
      breaker
        .run(() => post(options, body))
        .catch((error: unknown) => {
          if (error instanceof FanfareError) throw error;
          const told = { cause: error, retryAfterMs: UNSURE_RETRY_MS };
          throw new FanfareError('unavailable', 'the application does not answer', told);
        }),
    );

  return {
    async identify(token, remoteAddress) {
      const key = token === undefined ? undefined : createHash('sha256').update(token).digest('base64');
      const body = JSON.stringify({ type: 'connect', token, address: remoteAddress });
      const { isAllowed, fields } = await kept.getOr(key, 0, () => ask(body));
      return isAllowed ? readIdentity(fields.claims) : undefined;
    },

    async permits(question) {
      const key = JSON.stringify([
        question.action,
        question.channel,
        question.identity.user ?? null,
        question.identity.user === undefined ? question.session : null,
      ]);
      const body = JSON.stringify(describe(question));
      return (await kept.getOr(key, cacheMs, () => ask(body))).isAllowed;
    },

    async rule(question, message): Promise<Ruling> {
      const { payload, key, tags } = message;
      const rest = JSON.stringify({ ...describe(question), key, tags });
      const data = Buffer.from(transcode(payload, 'json').bytes).toString();
      const answer = await ask(`${rest.slice(0, -1)},"data":${data}}`);
      if (!answer.isAllowed) return undefined;
      return answer.payload ? { ...message, payload: answer.payload } : message;
    },
  };
}

function describe({ action, channel, identity, session }: Question) {
  const { user, info } = identity;
  return { type: action, channel, user, session, info };
}

/**
 * Reads the claims that the application says in place of a token. @throws {FanfareError} `internal` if they are no
 * claims
 */
function readIdentity(claims: unknown = {}): Identity {
  if (typeof claims !== 'object' || claims === null)
    throw new FanfareError('internal', 'the answer of the application has no claims');
  return toIdentity(readClaims(claims as Record<string, unknown>));
}

async function post({ url, secret, timeoutMs, clock }: HookOptions, body: string): Promise<Answer> {
  const seconds = Math.floor(clock.wall() / 1000);
  const signature = secret === undefined ? {} : signedHeaders([keyOf(secret)], randomUUID(), seconds, body);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...signature },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status === 401 || response.status === 403) return REFUSED;
  if (response.status !== 200) throw new Error(`it answered ${response.status}`);
  if (bytes.length > MAX_ANSWER_BYTES) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
  return readAnswer(bytes);
}

/** Reads an answer. Only `{"allow":true}` allows. */
function readAnswer(bytes: Uint8Array): Answer {
  const { fields, payload } = parsePublishBody(bytes);
  if (typeof fields.allow !== 'boolean') throw new Error('its answer has no "allow"');
  const cacheMs = Number(fields.cacheMs);
  return {
    isAllowed: fields.allow,
    fields,
    payload,
    cacheMs: cacheMs >= 0 ? Math.min(cacheMs, MAX_CACHE_MS) : undefined,
  };
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
}

/** Keeps answers for a time. Those who want the same answer at the same time share one question. */
class Kept<T extends { readonly cacheMs: number | undefined }> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { answer: Promise<T>; untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param key names the answer; `undefined`: it is not kept */
  getOr(key: string | undefined, cacheMs: number, ask: () => Promise<T>): Promise<T> {
    if (key === undefined) return ask();
    const known = this.#answers.get(key);
    if (known && this.#clock.now() < known.untilMs) return known.answer;
    const entry = { answer: ask(), untilMs: Number.POSITIVE_INFINITY };
    this.#answers.delete(key);
    this.#answers.set(key, entry);
    if (this.#answers.size > MAX_KEPT) this.#answers.delete(this.#answers.keys().next().value as string);
    const forget = () => {
      if (this.#answers.get(key) === entry) this.#answers.delete(key);
    };
    entry.answer.then((answer) => {
      const forMs = answer.cacheMs ?? cacheMs;
      if (forMs === 0) forget();
      else entry.untilMs = this.#clock.now() + forMs;
    }, forget);
    return entry.answer;
  }
}
