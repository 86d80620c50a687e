import type { Cancel, Clock } from './clock.js';

/** How long to hold after `rate_limited` without a `retryAfter`, ms. */
const DEFAULT_HOLD_MS = 1_000;

/**
 * How many requests may be open at once, so that thousands of them do not trip the gateway's rate
 * limits. The window halves when the gateway says `rate_limited`, nothing is sent until the time it
 * named, and each success lets it grow again by one per round trip (additive increase,
 * multiplicative decrease, as in TCP congestion control, RFC 5681).
 */
export class SendWindow {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #onRoom: () => void;
  #size: number;
  #open = 0;
  #hold: Cancel | undefined;

  /** `onRoom` is called when a hold ends; after `release` the caller looks by itself. */
  constructor(clock: Clock, max: number, onRoom: () => void) {
    this.#clock = clock;
    this.#max = max;
    this.#size = max;
    this.#onRoom = onRoom;
  }

  /** Takes a place, if there is one. */
  take(): boolean {
    if (this.#hold !== undefined || this.#open >= Math.floor(this.#size)) return false;
    this.#open++;
    return true;
  }

  /** Gives a place back. `success`: the gateway took the request. */
  release(success: boolean): void {
    this.#open = Math.max(0, this.#open - 1);
    if (success) this.#size = Math.min(this.#max, this.#size + 1 / this.#size);
  }

  /** The gateway said `rate_limited`, maybe with a time. Several within one hold are one. */
  holdFor(delayMs = DEFAULT_HOLD_MS): void {
    if (this.#hold !== undefined) return;
    this.#size = Math.max(1, this.#size / 2);
    this.#hold = this.#clock.after(delayMs, () => {
      this.#hold = undefined;
      this.#onRoom();
    });
  }

  /** A new connection: nothing is open on it, and its limits are fresh. */
  reset(): void {
    this.#hold?.();
    this.#hold = undefined;
    this.#open = 0;
  }
}
