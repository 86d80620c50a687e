import type { Clock } from './clock.js';

/**
 * The delays between attempts. Each is random, from 0 to a limit that doubles with each failure (full jitter).
 */
export interface BackoffOptions {
  /** The first delay is between 0 and this, ms. */
  readonly baseMs: number;
  /** No delay is longer than this, ms. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with full jitter: the n-th delay is random in [0, min(max, base * 2^n)).
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the usual variants the
 * one that spreads a herd of clients best.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #clock: Pick<Clock, 'random'>;
  #attempts = 0;

  constructor(options: BackoffOptions, clock: Pick<Clock, 'random'>) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Delays given since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Returns the next delay, ms. It is as long as if there had been at least `atLeast` delays before it. */
  next(atLeast = 0): number {
    this.#attempts = Math.max(this.#attempts, atLeast);
    const ceiling = Math.min(this.#options.maxMs, this.#options.baseMs * 2 ** this.#attempts);
    this.#attempts++;
    return this.#clock.random() * ceiling;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
