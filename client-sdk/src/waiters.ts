import type { FanfareClientError } from './errors.js';

/** Those who wait until it is so, or will not be. */
export class Waiters {
  #waiting: { resolve(): void; reject(error: FanfareClientError): void }[] = [];

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** It is so; or never will be, because of `error`. */
  settle(error?: FanfareClientError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) {
      if (error) reject(error);
      else resolve();
    }
  }
}
