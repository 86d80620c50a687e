import type { Clock } from '../clock.js';
import { type Charge, isUnlimited, type RateLimits, Rates } from './rates.js';
import { Refusals, Violations } from './violations.js';

/** What one connection may still send: its rates, and how often it broke them or the protocol. */
export class FrameGuard {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  #rates: Rates | undefined;
  #refusals: Refusals | undefined;
  #malformed: Violations | undefined;
  #tooLarge: Violations | undefined;

  constructor(limits: RateLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** 0 if the rates allow it, else after how many ms they would. */
  take(charge: Charge): number {
    if (isUnlimited(this.#limits)) return 0;
    const now = this.#clock.now();
    this.#rates ??= new Rates(this.#limits, now);
    return this.#rates.take(charge, now);
  }

  /** A frame was refused as too fast. Returns whether that ends the connection. */
  refused(): boolean {
    this.#refusals ??= new Refusals();
    return this.#refusals.add(this.#clock.now());
  }

  /** A malformed frame came. Returns whether that ends the connection. */
  malformed(): boolean {
    this.#malformed ??= new Violations();
    return this.#malformed.add(this.#clock.now());
  }

  /** A frame over `maxFrame` came. Returns whether that ends the connection. */
  tooLarge(): boolean {
    this.#tooLarge ??= new Violations();
    return this.#tooLarge.add(this.#clock.now());
  }
}
