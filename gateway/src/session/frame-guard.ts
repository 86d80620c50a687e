import { NEW_IDENTITY_MS } from '../broker/broker.js';
import type { Clock } from '../clock.js';
import { RateLimiter } from '../rate-limiter.js';
import { type Charge, isUnlimited, Rates, type SessionLimits } from './rates.js';
import { RateRefusals, Violations } from './violations.js';

/** Knows what one connection may still send, by its rates, and how often it broke these or the protocol. */
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

  /** Counts a frame. 0 if the rates allow it, otherwise after how many ms they would. */
  take(charge: Charge): number {
    if (isUnlimited(this.#limits)) return 0;
    const now = this.#clock.now();
    return this.#ratesAt(now).take(charge, now);
  }

  /**
   * Takes a free resume, if there is one left. There are as many as channels that a client may be on, because it comes
   * back to no more than that.
   */
  takeFreeResume(): boolean {
    return this.#freeResumes++ < this.#limits.subscriptions;
  }

  /** To be called when a free resume came with a position that the log does not know. It counts as a command then. */
  resumedInVain(): void {
    if (isUnlimited(this.#limits)) return;
    const now = this.#clock.now();
    this.#ratesAt(now).chargeCommand(now);
  }

  /** To be called when the connection got onto a durable channel to which nobody has ever published. */
  enteredNew(): void {
    const now = this.#clock.now();
    this.#newNamesAt(now)?.charge(1, now);
  }

  /**
   * When the connection may go onto another durable channel: 0 for now, otherwise after how many ms. For a while, the
   * store keeps something for each durable channel to which nobody has published. In that time a connection may cause
   * as many of these as it may be on at once.
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

  /** Notes that a frame was refused as too fast. Returns whether that ends the connection. */
  refused(): boolean {
    this.#refusals ??= new RateRefusals();
    return this.#refusals.add(this.#clock.now());
  }

  /** Notes that a malformed frame came. Returns whether that ends the connection. */
  malformed(): boolean {
    this.#malformed ??= new Violations();
    return this.#malformed.add(this.#clock.now());
  }

  /** Notes that a token was refused. Returns whether that ends the connection. */
  badToken(): boolean {
    this.#badTokens ??= new Violations();
    return this.#badTokens.add(this.#clock.now());
  }

  /** Notes that a frame over `maxFrame` came. Returns whether that ends the connection. */
  tooLarge(): boolean {
    this.#tooLarge ??= new Violations();
    return this.#tooLarge.add(this.#clock.now());
  }
}
