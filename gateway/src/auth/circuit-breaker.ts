import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';

interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** How many failures in a row open the breaker. Default 5. */
  readonly failures?: number;
  /**
   * How long the breaker stays open, ms. It is doubled, up to 30 s, each time that the attempt after it fails too.
   * Default 1 s.
   */
  readonly openMs?: number;
  /** Called with the last failure when the breaker opens, and with `undefined` when it closes again. */
  readonly onState?: (failure: unknown) => void;
}

const MAX_OPEN_MS = 30_000;

/**
 * Spares a service that fails, and those who wait for it. After some failures in a row all calls fail at once, until
 * one that is let through as a trial succeeds.
 */
export class CircuitBreaker {
  readonly #options: Required<CircuitBreakerOptions>;
  #failures = 0;
  #openMs: number;
  #closedAgainAtMs = Number.NEGATIVE_INFINITY;
  #isOpen = false;
  #isTrying = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = { failures: 5, openMs: 1_000, onState: () => {}, ...options };
    this.#openMs = this.#options.openMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @throws what the call throws, or `FanfareError` `unavailable` while the breaker is open */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const isTrial = this.#isOpen;
    if (isTrial) {
      const leftMs = this.#closedAgainAtMs - this.#options.clock.now();
      if (leftMs > 0 || this.#isTrying) {
        const retryAfterMs = Math.max(100, Math.ceil(leftMs));
        throw new FanfareError('unavailable', 'the application does not answer', { retryAfterMs });
      }
      this.#isTrying = true;
    }
    try {
      const result = await call();
      this.#onSuccess();
      return result;
    } catch (error) {
      this.#onFailure(error, isTrial);
      throw error;
    } finally {
      if (isTrial) this.#isTrying = false;
    }
  }

  #onSuccess(): void {
    this.#failures = 0;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#openMs = this.#options.openMs;
    this.#options.onState(undefined);
  }

  #onFailure(error: unknown, isTrial: boolean): void {
    this.#failures++;
    // Calls that began before the breaker opened may fail late, and prove nothing new.
    if (this.#isOpen ? !isTrial : this.#failures < this.#options.failures) return;
    if (isTrial) this.#openMs = Math.min(MAX_OPEN_MS, 2 * this.#openMs);
    this.#closedAgainAtMs = this.#options.clock.now() + this.#openMs;
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#options.onState(error);
  }
}
