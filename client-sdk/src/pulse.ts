import type { Clock } from './clock.js';

/** When the gateway was last heard of. While it talks, what it has not answered is late and not lost. */
export class Pulse {
  readonly #clock: Pick<Clock, 'now'>;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Something came. */
  beat(): void {
    this.#heardAt = this.#clock.now();
  }

  /** What is left until it was silent for this long, ms; 0 or less if it was. */
  leftMs(silenceMs: number): number {
    const now = this.#clock.now();
    // A clock that was set back would make the last sign of life one of the future.
    this.#heardAt = Math.min(this.#heardAt, now);
    return this.#heardAt + silenceMs - now;
  }
}
