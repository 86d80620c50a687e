import { type Clock, sleep } from '../clock.js';
import { Semaphore } from '../semaphore.js';
import { signedHeaders } from '../signature.js';
import { type Batch, bodyOf } from './events.js';

interface EndpointOptions {
  readonly url: string;
  readonly keys: readonly Buffer[];
  /** How long the application has to answer, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called once when the application stops answering, and once when it answers again. */
  readonly onState?: (state: { readonly isDown: boolean; readonly reason?: string }) => void;
}

/**
 * What became of a batch. `refused`: the application answered that it does not want the batch (4xx), and may never want
 * it. `down`: there was no answer, or a 5xx, 408, 425 or 429; the application may want the batch later.
 */
export type Delivery =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'refused' | 'down'; readonly reason: string };

/** Most requests that are under way at a time. */
const CONCURRENCY = 8;
/** Pause between two tries while the application is down, ms. It doubles from the first value up to the last. */
const BACKOFF_MS = { first: 500, last: 30_000 };
/** Most bytes of an answer that are read. A connection can be used again only if the answer was read to its end. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Status codes that ask to come back later. */
const LATER = new Set([408, 425, 429]);

/**
 * The URL of the application to which events are sent. While the application is down, one request at a time finds out
 * whether it still is.
 */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #turns = new Semaphore(CONCURRENCY);
  /** How many requests failed in a row. */
  #failures = 0;
  #quietUntilMs = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /** Whether the application did not take the last batch. */
  get isDown(): boolean {
    return this.#failures > 0;
  }

  /**
   * Runs a task that may send, when its turn has come. A few tasks run at a time; while the application is known to be
   * down, a task waits until it is time for another try. So a task need not hold the events that it takes for long.
   */
  turn(task: (send: (batch: Batch) => Promise<Delivery>) => Promise<void>): Promise<void> {
    return this.#turns.run(async () => {
      const { clock } = this.#options;
      const waitMs = this.#quietUntilMs - clock.now();
      if (waitMs > 0) await sleep(clock, waitMs);
      await task((batch) => this.#send(batch));
    });
  }

  /** Sends a batch, once. Never rejects. */
  async #send(batch: Batch): Promise<Delivery> {
    const delivery = await this.#post(batch);
    this.#learn(delivery);
    return delivery;
  }

  async #post(batch: Batch): Promise<Delivery> {
    const { url, keys, timeoutMs, clock } = this.#options;
    const body = bodyOf(batch);
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'fanfare',
          ...signedHeaders(keys, batch.id, Math.floor(clock.wall() / 1_000), body),
        },
        // A redirect would carry events to where nobody configured it.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      await discard(response);
      const { status } = response;
      if (status >= 200 && status < 300) return { outcome: 'delivered' };
      return { outcome: status >= 500 || LATER.has(status) ? 'down' : 'refused', reason: `it answered ${status}` };
    } catch (error) {
      return { outcome: 'down', reason: reasonOf(error) };
    }
  }

  #learn(delivery: Delivery): void {
    const { clock, onState } = this.#options;
    if (delivery.outcome !== 'down') {
      if (this.#failures > 0) onState?.({ isDown: false });
      this.#failures = 0;
      this.#quietUntilMs = 0;
      return;
    }
    if (this.#failures++ === 0) onState?.({ isDown: true, reason: delivery.reason });
    const ceilingMs = Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** (this.#failures - 1));
    this.#quietUntilMs = clock.now() + ceilingMs * (0.5 + clock.random() / 2);
  }
}

/** Reads the little that an answer has, so that the connection can be used again. */
async function discard({ body }: Response): Promise<void> {
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_ANSWER_BYTES) return;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  return error.cause instanceof Error ? error.cause.message : error.message;
}
