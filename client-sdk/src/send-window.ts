import type { Cancel, Clock } from './clock.js';

/** How long to hold after `rate_limited` without a `retryAfter`, ms. */
const DEFAULT_HOLD_MS = 1_000;
/** The longest spacing of requests, ms. A gateway that names a longer time does not speak of a rate. */
const MAX_SPACING_MS = 100;
/** By how much a refusal multiplies the spacing. */
const WIDER = 1.5;
/** By how much a success multiplies the spacing. */
const NARROWER = 0.97;

/**
 * Decides how many requests may be open at once, and how close behind each other they go out, so that thousands of them
 * do not trip the gateway's rate limits. When the gateway says `rate_limited`, nothing is sent until the time it named,
 * the window halves, and from then on requests keep that time from each other. Each success lets both recover: the
 * window grows by one per round trip (additive increase, multiplicative decrease, as in TCP congestion control, RFC
 * 5681).
 */
export class SendWindow {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #onRoom: () => void;
  #size: number;
  #open = 0;
  /** The time between two requests, ms. Under 1 there is none. */
  #spacingMs = 0;
  #hold: Cancel | undefined;
  #gap: Cancel | undefined;

  /** @param onRoom called when a hold or a spacing ends; after `release` the caller looks by itself */
  constructor(clock: Clock, max: number, onRoom: () => void) {
    this.#clock = clock;
    this.#max = max;
    this.#size = max;
    this.#onRoom = onRoom;
  }

  /** Takes a place, if there is one. */
  take(): boolean {
    if (this.#hold || this.#gap || this.#open >= Math.floor(this.#size)) return false;
    this.#open++;
    if (this.#spacingMs >= 1) {
      this.#gap = this.#clock.after(this.#spacingMs, () => {
        this.#gap = undefined;
        this.#onRoom();
      });
    }
    return true;
  }

  /** Gives a place back. `success` says whether the gateway took the request. */
  release(success: boolean): void {
    this.#open = Math.max(0, this.#open - 1);
    if (!success) return;
    this.#size = Math.min(this.#max, this.#size + 1 / this.#size);
    this.#spacingMs *= NARROWER;
  }

  /**
   * Holds requests, because the gateway said `rate_limited`, maybe with a time. Several calls within one hold count as
   * one.
   */
  holdFor(delayMs = DEFAULT_HOLD_MS): void {
    if (this.#hold) return;
    this.#size = Math.max(1, this.#size / 2);
    this.#spacingMs = Math.min(MAX_SPACING_MS, Math.max(delayMs, this.#spacingMs * WIDER));
    this.#gap?.();
    this.#gap = undefined;
    this.#hold = this.#clock.after(delayMs, () => {
      this.#hold = undefined;
      this.#onRoom();
    });
  }

  /** Begins with a new connection: nothing is open on it, and its limits are fresh. */
  reset(): void {
    this.#hold?.();
    this.#gap?.();
    this.#hold = this.#gap = undefined;
    this.#spacingMs = 0;
    this.#open = 0;
  }
}
