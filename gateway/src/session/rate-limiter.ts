/** A token bucket: `perSecond` on average, that many at once. `Infinity` never refuses. */
export class RateLimiter {
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAtMs = nowMs;
  }

  /** Takes `amount`. 0 if granted, else after how many ms it would be. */
  take(amount: number, nowMs: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0;
    const earned = ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + Math.max(0, earned));
    this.#filledAtMs = nowMs;
    // What is larger than the bucket passes when it is full, and is paid back later.
    const needed = Math.min(amount, this.#perSecond);
    if (this.#tokens >= needed) {
      this.#tokens -= amount;
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - this.#tokens) / this.#perSecond) * 1_000));
  }
}
