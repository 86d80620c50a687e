import type { Cancel, Clock } from './clock.js';

/** Lets through so many a second, and so many at once after a pause. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #onRefill: () => void;
  #tokens: number;
  #countedAt: number;
  #refill: Cancel | undefined;

  /** @param onRefill called once there is a token again, after one was found missing */
  constructor(clock: Clock, perSecond: number, onRefill: () => void) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#onRefill = onRefill;
    this.#tokens = perSecond;
    this.#countedAt = clock.now();
  }

  get available(): boolean {
    const now = this.#clock.now();
    const earned = (Math.max(0, now - this.#countedAt) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#countedAt = now;
    if (this.#tokens >= 1) return true;
    this.#refill ??= this.#clock.after(Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond), () => {
      this.#refill = undefined;
      this.#onRefill();
    });
    return false;
  }

  take(): void {
    this.#tokens--;
  }

  /** Fills the bucket. */
  reset(): void {
    this.#refill?.();
    this.#refill = undefined;
    this.#tokens = this.#perSecond;
  }
}
