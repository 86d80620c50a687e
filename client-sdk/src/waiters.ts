import type { FanfareClientError } from './errors.js';

/** Callers that wait until something is so, or will never be. */
export class Waiters {
  #waiting: { resolve(): void; reject(error: FanfareClientError): void }[] = [];

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the wait of all callers: it is so, or will never be because of `error`. */
  settle(error?: FanfareClientError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) {
      if (error) reject(error);
      else resolve();
    }
  }
}
