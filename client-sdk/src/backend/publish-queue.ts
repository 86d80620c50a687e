import { Backoff, type BackoffOptions } from '../backoff.js';
import { FanfareClientError } from '../errors.js';
import type { PublishResult } from '../publishing.js';
import { outcomeUnknown } from '../request.js';
import { errorOf, type ItemReply, post } from './http.js';

/** What became of one message. */
export type Outcome =
  | ({
      /** The message is in the log, or was passed on if the channel is live. */
      readonly ok: true;
    } & PublishResult)
  | {
      /** The message could not be published. `error` says whether it may be in the log all the same. */
      readonly ok: false;
      /** The channel that it was for. */
      readonly channel: string;
      /** Why not. With `outcome_unknown` it may be in the log, and with every other code it is not. */
      readonly error: FanfareClientError;
    };

export interface EncodedMessage {
  readonly channel: string;
  /** The other fields of the message as the HTTP API has them: the inside of a JSON object. */
  readonly fields: string;
  readonly key: string | undefined;
  /** Whether the message is published only once if it is sent twice. */
  readonly repeatable: boolean;
  readonly timeoutMs: number;
}

interface Item extends EncodedMessage {
  /** When the message is given up, ms as in `Date.now()`. */
  readonly deadline: number;
  readonly settle: (outcome: Outcome) => void;
  readonly done: Promise<Outcome>;
  /** Whether it was sent and nobody knows what became of it. */
  isUnknown: boolean;
  /** Whether it goes in a request of its own, because it may be what made the gateway refuse a batch as a whole. */
  isSuspect: boolean;
  /** Why it is not done yet. */
  failure: FanfareClientError | undefined;
}

interface PublishQueueOptions {
  /** The addresses of the publish call, one at each gateway. */
  readonly urls: readonly string[];
  readonly apiKey: string;
  readonly fetch: typeof fetch;
  readonly maxMessages: number;
  readonly delayMs: number;
  readonly maxPending: number;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffOptions;
}

/** How many characters a batch may have. With three bytes each, its body is under the 8 MiB that a gateway reads. */
const MAX_CHARACTERS = 2_000_000;
const CHANCE = { random: () => Math.random() };

/**
 * Messages on their way to a gateway, in batches, one after the other: what is published while one is on its way makes
 * up the next. The messages of a channel stay in order, also while the first of them has to be sent again.
 */
export class PublishQueue {
  readonly #options: PublishQueueOptions;
  readonly #backoff: Backoff;
  /** The channels that cannot be served for the moment, and until when. */
  readonly #held = new Map<string, { until: number; readonly backoff: Backoff }>();
  #queue: Item[] = [];
  #sending: readonly Item[] = [];
  #isRunning = false;
  #isHurried = false;
  #failures = 0;
  #poke: (() => void) | undefined;

  constructor(options: PublishQueueOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, CHANCE);
  }

  add(message: EncodedMessage): Promise<Outcome> {
    const { channel, timeoutMs } = message;
    const { maxPending } = this.#options;
    if (this.#queue.length + this.#sending.length >= maxPending) {
      const error = new FanfareClientError('limit_exceeded', `${maxPending} messages are waiting`, { retryable: true });
      return Promise.resolve({ ok: false, channel, error });
    }
    let settle: (outcome: Outcome) => void = () => {};
    const done = new Promise<Outcome>((resolve) => {
      settle = resolve;
    });
    const deadline = Date.now() + timeoutMs;
    const state = { isUnknown: false, isSuspect: false, failure: undefined };
    this.#queue.push({ ...message, deadline, settle, done, ...state });
    this.#poke?.();
    void this.#run();
    return done;
  }

  /** Sends what is here without waiting for more, and resolves once its outcome is known. */
  async flush(): Promise<void> {
    const items = [...this.#sending, ...this.#queue];
    this.#isHurried = true;
    this.#poke?.();
    await Promise.all(items.map(({ done }) => done));
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { delayMs, maxMessages } = this.#options;
    // Messages that are published in one go leave together.
    await Promise.resolve();
    const isDue = () => this.#isHurried || this.#queue.length >= maxMessages;
    if (delayMs > 0 && !isDue()) await this.#rest(delayMs, isDue);
    while (this.#queue.length > 0) {
      const restMs = await this.#sendBatch();
      if (restMs > 0) await this.#rest(restMs, () => this.#failures === 0);
    }
    this.#isHurried = false;
    this.#isRunning = false;
  }

  /** Sends a batch. Resolves with how long to wait before the next one, ms. */
  async #sendBatch(): Promise<number> {
    const { urls, apiKey, fetch, requestTimeoutMs: timeoutMs } = this.#options;
    this.#expire();
    const batch = this.#take();
    if (batch.length === 0) return this.#untilNextMs();
    this.#sending = batch;
    const url = urls[this.#failures % urls.length] as string;
    const answer = await post({ url, apiKey, body: bodyOf(batch), timeoutMs, fetch });
    this.#sending = [];
    if ('results' in answer) {
      this.#failures = 0;
      this.#backoff.reset();
      this.#requeue(batch.filter((item, nth) => this.#onReply(item, answer.results[nth])));
      return 0;
    }
    const { error, isUnknown } = answer;
    if (!error.retryable && !isUnknown && batch.length > 1 && /^(bad_request|too_large)$/.test(error.code)) {
      for (const item of batch) item.isSuspect = true;
      this.#requeue(batch);
      return 0;
    }
    this.#requeue(batch.filter((item) => this.#onFailure(item, error, isUnknown)));
    if (!error.retryable && !isUnknown) return 0;
    // Each gateway is tried before there is a pause.
    const isRound = ++this.#failures % urls.length === 0;
    const delayMs = isRound ? Math.max(this.#backoff.next(), error.retryAfterMs ?? 0) : 0;
    return Math.min(delayMs, this.#untilDeadlineMs());
  }

  /** Takes the reply to one message. Returns whether it has to be sent again. */
  #onReply(item: Item, reply: ItemReply | undefined): boolean {
    const { channel, key } = item;
    if (reply === undefined) {
      return this.#onFailure(item, new FanfareClientError('malformed_frame', 'a result is missing'), true);
    }
    if (!('error' in reply)) {
      this.#held.delete(channel);
      item.settle({ ok: true, ...reply, channel, ...(key !== undefined && { key }) });
      return false;
    }
    const error = errorOf(reply.error, channel);
    const isAgain = this.#onFailure(item, error, error.code === 'outcome_unknown');
    if (isAgain) this.#hold(channel, error.retryAfterMs);
    return isAgain;
  }

  #onFailure(item: Item, error: FanfareClientError, isUnknown: boolean): boolean {
    item.failure = error;
    item.isUnknown ||= isUnknown;
    const isAgain = isUnknown ? item.repeatable : error.retryable;
    if (!isAgain) this.#fail(item, error);
    return isAgain;
  }

  #fail(item: Item, error: FanfareClientError): void {
    const { channel } = item;
    const isUntold = item.isUnknown && error.code !== 'outcome_unknown';
    item.settle({ ok: false, channel, error: isUntold ? outcomeUnknown(error.message, error, channel) : error });
  }

  #expire(): void {
    const now = Date.now();
    this.#queue = this.#queue.filter((item) => {
      if (item.deadline > now) return true;
      const { timeoutMs, failure: cause, channel } = item;
      const text = `not done within ${timeoutMs} ms${cause ? `: ${cause.message}` : ''}`;
      this.#fail(item, new FanfareClientError('timeout', text, { retryable: true, cause, channel }));
      return false;
    });
    for (const [channel, { until }] of this.#held) if (until + 60_000 < now) this.#held.delete(channel);
  }

  /** Takes the first messages that may leave from the queue. */
  #take(): Item[] {
    const now = Date.now();
    const batch: Item[] = [];
    let characters = 0;
    const isIn = (item: Item) => {
      if ((this.#held.get(item.channel)?.until ?? 0) > now) return false;
      const size = item.channel.length + item.fields.length;
      const isFull = batch.length >= this.#options.maxMessages || characters + size > MAX_CHARACTERS;
      if (batch.length > 0 && (isFull || item.isSuspect || batch[0]?.isSuspect)) {
        // The messages behind it have to wait with it.
        characters = MAX_CHARACTERS;
        return false;
      }
      characters += size;
      batch.push(item);
      return true;
    };
    this.#queue = this.#queue.filter((item) => !isIn(item));
    return batch;
  }

  #requeue(items: readonly Item[]): void {
    if (items.length > 0) this.#queue = [...items, ...this.#queue];
  }

  #hold(channel: string, atLeastMs = 0): void {
    const backoff = this.#held.get(channel)?.backoff ?? new Backoff(this.#options.backoff, CHANCE);
    this.#held.set(channel, { until: Date.now() + Math.max(backoff.next(), atLeastMs), backoff });
  }

  /** Returns how long to wait while all messages that are here are held, ms. */
  #untilNextMs(): number {
    const times = this.#queue.map(({ channel }) => (this.#held.get(channel)?.until ?? 0) - Date.now());
    return this.#queue.length === 0 ? 0 : Math.max(1, Math.min(...times, this.#untilDeadlineMs()));
  }

  #untilDeadlineMs(): number {
    return Math.min(...this.#queue.map(({ deadline }) => deadline - Date.now()));
  }

  #rest(delayMs: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#poke = undefined;
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      this.#poke = () => isOver() && end();
    });
  }
}

/** Returns the body of a request. One payload for many channels is in it once. */
function bodyOf(batch: readonly Item[]): string {
  const [{ fields }] = batch as [Item];
  if (batch.length > 1 && batch.every((item) => item.fields === fields)) {
    return `{"channels":${JSON.stringify(batch.map(({ channel }) => channel))},${fields}}`;
  }
  return `{"messages":[${batch.map((item) => `{"channel":${JSON.stringify(item.channel)},${item.fields}}`)}]}`;
}
