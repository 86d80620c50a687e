/** A token bucket: `perSecond` on average, `atOnce` at once (default `perSecond`). `Infinity` never refuses. */
export class RateLimiter {
  readonly #perSecond: number;
  readonly #atOnce: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, nowMs: number, atOnce = perSecond) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#tokens = atOnce;
    this.#filledAtMs = nowMs;
  }

  /** Takes `amount` if it is granted. Returns 0 then, otherwise after how many ms it would be granted. */
  take(amount: number, nowMs: number): number {
    const waitMs = this.waitMs(amount, nowMs);
    if (waitMs === 0) this.#tokens -= amount;
    return waitMs;
  }

  /** Takes `amount` in any case, because it is spent already. What is missing is paid back later. */
  charge(amount: number, nowMs: number): void {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return;
    this.#fill(nowMs);
    this.#tokens -= amount;
  }

  /** After how many ms `amount` would be granted; takes nothing. */
  waitMs(amount: number, nowMs: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0;
    this.#fill(nowMs);
    // An amount that is larger than the bucket passes when the bucket is full, and is paid back later.
    const needed = Math.min(amount, this.#atOnce);
    return this.#tokens >= needed ? 0 : Math.max(1, Math.ceil(((needed - this.#tokens) / this.#perSecond) * 1_000));
  }

  #fill(nowMs: number): void {
    const earned = ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#atOnce, this.#tokens + Math.max(0, earned));
    this.#filledAtMs = nowMs;
  }
}
