import type { Clock } from '../clock.js';
import { Fifo } from '../fifo.js';

/** Those who wait until a socket has drained. One after another: each sends something, and then it may not be drained. */
export class DrainQueue {
  readonly #clock: Clock;
  readonly #isDrained: () => boolean;
  readonly #waiting = new Fifo<() => void>();
  #isEnded = false;

  constructor(clock: Clock, isDrained: () => boolean) {
    this.#clock = clock;
    this.#isDrained = isDrained;
  }

  wait(): Promise<void> {
    if (this.#isEnded || this.#isDrained()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** It may have drained. */
  wake(): void {
    if (this.#waiting.isEmpty || !this.#isDrained()) return;
    this.#waiting.shift()?.();
    this.#clock.soon(() => this.wake());
  }

  /** There is nothing to wait for any more. */
  end(): void {
    this.#isEnded = true;
    for (const resolve of this.#waiting.take()) resolve();
  }
}
