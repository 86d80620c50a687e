/** Limits how fast each API key may publish. */
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { RateLimiter } from '../rate-limiter.js';
import { count, type Stats } from '../stats.js';

export class KeyRates {
  readonly #perSecond: number;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #stats: Stats;
  readonly #limiters = new Map<string, RateLimiter>();

  /** @param perSecond messages per second of one key; `Infinity`: not limited */
  constructor(perSecond: number, clock: Pick<Clock, 'now'>, stats: Stats) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#stats = stats;
  }

  /** @throws {FanfareError} `rate_limited`: nothing of the request is done then */
  take(keyName: string, messages: number): void {
    const now = this.#clock.now();
    let limiter = this.#limiters.get(keyName);
    if (!limiter) {
      limiter = new RateLimiter(this.#perSecond, now);
      this.#limiters.set(keyName, limiter);
    }
    const retryAfterMs = limiter.take(messages, now);
    if (retryAfterMs === 0) return;
    count(this.#stats.limitsHit, 'publishesPerSecondPerKey');
    throw new FanfareError('rate_limited', 'too many messages with this API key', { retryAfterMs });
  }
}
