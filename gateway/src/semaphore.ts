import { Fifo } from './fifo.js';

/** Lets at most `width` tasks run at a time; the others wait in order. */
export class Semaphore {
  readonly #width: number;
  readonly #waiting = new Fifo<() => void>();
  #running = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
