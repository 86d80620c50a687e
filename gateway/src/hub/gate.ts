import type { Cancel, Clock } from '../clock.js';
import { FanfareError } from '../errors.js';

/** A gate at which callers wait until it is opened, each for a bounded time. */
export class Gate {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #refusal: string;
  /** Those that wait. The set exists only while somebody waits, because each channel has two gates. */
  #waiting: Set<() => void> | undefined;
  #isOpen = false;

  /** @param refusal what callers are told that waited in vain */
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

  /** Waits while the gate is closed; `undefined` if it is open. @throws {FanfareError} `unavailable`, after `ms`. */
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
