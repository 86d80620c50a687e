/** Lets at most `width` tasks run at a time; the others wait in order. */
export class Turnstile {
  readonly #width: number;
  #running = 0;
  #waiting: ((() => void) | undefined)[] = [];
  /** Index of the first that still waits: shifting a long queue costs its length each time. */
  #first = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#next();
      if (next) next();
      else this.#running--;
    }
  }

  #next(): (() => void) | undefined {
    const next = this.#waiting[this.#first];
    if (!next) return undefined;
    this.#waiting[this.#first++] = undefined;
    if (this.#first === this.#waiting.length) {
      this.#waiting = [];
      this.#first = 0;
    }
    return next;
  }
}
