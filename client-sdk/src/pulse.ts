import type { Clock } from './clock.js';

/** When the gateway was last heard of. While it talks, an answer that it owes is late and not lost. */
export class Pulse {
  readonly #clock: Pick<Clock, 'now'>;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Called when something came from the gateway. */
  beat(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Returns how long it is until the gateway was silent for `silenceMs`, ms. It is 0 or less if that is so already. */
  leftMs(silenceMs: number): number {
    const now = this.#clock.now();
    // If the clock was set back, the last sign of life would be in the future.
    this.#heardAt = Math.min(this.#heardAt, now);
    return this.#heardAt + silenceMs - now;
  }
}
