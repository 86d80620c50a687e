export interface BackoffTimings {
  /** Shortest wait before an attempt, ms. */
  readonly minMs: number;
  /** Longest wait before an attempt, ms. */
  readonly maxMs: number;
}

/**
 * Waits with full jitter: a random time below a ceiling that doubles with each attempt, so that many
 * gateways that lost the same server do not come back to it at once.
 */
export class Backoff {
  readonly #timings: BackoffTimings;
  readonly #random: () => number;
  #attempts = 0;

  constructor(timings: BackoffTimings, random: () => number = Math.random) {
    this.#timings = timings;
    this.#random = random;
  }

  /** How long to wait before the next attempt, ms. */
  next(): number {
    const { minMs, maxMs } = this.#timings;
    const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempts + 1, 30));
    this.#attempts++;
    return Math.round(minMs + this.#random() * Math.max(0, ceilingMs - minMs));
  }

  /** Begins again with the shortest wait, after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}
