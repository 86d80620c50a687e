import type { Cancel, Clock } from '../clock.js';
import { FanfareError } from '../errors.js';

/** Where callers wait until something is so, each for a bounded time. */
export class Gate {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #refusal: string;
  /** Only while somebody waits: there are two gates for each channel. */
  #waiting: Set<() => void> | undefined;
  #isOpen = false;

  /** @param refusal what those are told who waited in vain */
  constructor(clock: Pick<Clock, 'after'>, refusal: string) {
    this.#clock = clock;
    this.#refusal = refusal;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const pass of waiting ?? []) pass();
  }

  close(): void {
    this.#isOpen = false;
  }

  /** Waits while it is closed; `undefined`: it is open. @throws {FanfareError} `unavailable`, after `ms`. */
  passed(ms: number): Promise<void> | undefined {
    if (this.#isOpen) return undefined;
    return new Promise((resolve, reject) => {
      let cancel: Cancel = () => {};
      const pass = () => {
        cancel();
        resolve();
      };
      this.#waiting ??= new Set();
      this.#waiting.add(pass);
      cancel = this.#clock.after(ms, () => {
        this.#waiting?.delete(pass);
        reject(new FanfareError('unavailable', this.#refusal, { retryAfterMs: 1_000 }));
      });
    });
  }
}
