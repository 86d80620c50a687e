/** Something that can stop reading, and reads again. */
interface Reading {
  pause(): unknown;
  resume(): unknown;
}

/** A reader that stops for a time: first the kernel's buffers fill, then those of the gateway. */
export class Stall {
  readonly #reading: () => Reading | undefined;
  #until = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param reading returns the connection of now, if there is one */
  constructor(reading: () => Reading | undefined) {
    this.#reading = reading;
  }

  get isOn(): boolean {
    return performance.now() < this.#until;
  }

  begin(ms: number): void {
    this.#reading()?.pause();
    this.#until = performance.now() + ms;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), ms).unref();
  }

  /** Reads again. */
  end(): void {
    this.forget();
    this.#reading()?.resume();
  }

  /** To be called when there is another connection, which reads. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#until = 0;
  }
}
