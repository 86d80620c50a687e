import type { Clock } from '../clock.js';
import { Fifo } from '../fifo.js';

/**
 * Callers that wait until a socket has drained. They go on one after another, because each sends something, after which
 * the socket may be full again.
 */
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

  /** To be called when the socket may have drained. */
  wake(): void {
    if (this.#waiting.isEmpty || !this.#isDrained()) return;
    this.#waiting.shift()?.();
    this.#clock.soon(() => this.wake());
  }

  /** Lets all callers go on, because there is nothing to wait for any more. */
  end(): void {
    this.#isEnded = true;
    for (const resolve of this.#waiting.take()) resolve();
  }
}
