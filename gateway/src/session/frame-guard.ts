import { NEW_IDENTITY_MS } from '../broker/broker.js';
import type { Clock } from '../clock.js';
import { RateLimiter } from '../rate-limiter.js';
import { type Charge, isUnlimited, Rates, type SessionLimits } from './rates.js';
import { RateRefusals, Violations } from './violations.js';

/** What one connection may still send: its rates, and how often it broke them or the protocol. */
export class FrameGuard {
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  #rates: Rates | undefined;
  #newNames: RateLimiter | undefined;
  #freeResumes = 0;
  #refusals: RateRefusals | undefined;
  #malformed: Violations | undefined;
  #tooLarge: Violations | undefined;
  #badTokens: Violations | undefined;

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** 0 if the rates allow it, else after how many ms they would. */
  take(charge: Charge): number {
    if (isUnlimited(this.#limits)) return 0;
    const now = this.#clock.now();
    return this.#ratesAt(now).take(charge, now);
  }

  /** Whether another resume may be free: a client comes back to no more channels than it may be on. */
  takeFreeResume(): boolean {
    return this.#freeResumes++ < this.#limits.subscriptions;
  }

  /** A resume came with a position that the log doesn't know: it is a command like any other. */
  resumedInVain(): void {
    if (isUnlimited(this.#limits)) return;
    const now = this.#clock.now();
    this.#ratesAt(now).chargeCommand(now);
  }

  /** The connection is on a durable channel to which nobody ever published. */
  enteredNew(): void {
    const now = this.#clock.now();
    this.#newNamesAt(now)?.charge(1, now);
  }

  /**
   * 0, or after how many ms it may go onto another durable channel. The store keeps something for each of those to
   * which nobody has published, for a while; in that time a connection makes as many as it may be on at once.
   */
  newNamesWaitMs(): number {
    const now = this.#clock.now();
    return this.#newNamesAt(now)?.waitMs(1, now) ?? 0;
  }

  #ratesAt(now: number): Rates {
    this.#rates ??= new Rates(this.#limits, now);
    return this.#rates;
  }

  #newNamesAt(now: number): RateLimiter | undefined {
    const { commandsPerSecond, subscriptions } = this.#limits;
    if (commandsPerSecond === Number.POSITIVE_INFINITY) return undefined;
    this.#newNames ??= new RateLimiter(subscriptions / (NEW_IDENTITY_MS / 1_000), now, subscriptions);
    return this.#newNames;
  }

  /** A frame was refused as too fast. Returns whether that ends the connection. */
  refused(): boolean {
    this.#refusals ??= new RateRefusals();
    return this.#refusals.add(this.#clock.now());
  }

  /** A malformed frame came. Returns whether that ends the connection. */
  malformed(): boolean {
    this.#malformed ??= new Violations();
    return this.#malformed.add(this.#clock.now());
  }

  /** A token came that was refused. Returns whether that ends the connection. */
  badToken(): boolean {
    this.#badTokens ??= new Violations();
    return this.#badTokens.add(this.#clock.now());
  }

  /** A frame over `maxFrame` came. Returns whether that ends the connection. */
  tooLarge(): boolean {
    this.#tooLarge ??= new Violations();
    return this.#tooLarge.add(this.#clock.now());
  }
}
