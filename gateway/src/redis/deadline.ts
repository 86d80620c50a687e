import type { Cancel, Clock } from '../clock.js';

const TICKS = 8;
/** A late tick counts for at most so many ticks: if it is later than that, this process stood still. */
const MOST_TICKS_AT_ONCE = 2;

/**
 * Calls back when `deadlineMs` of this process's own running time are over. It waits in short ticks, so
 * that a pause of this process counts for little: what the other side sent meanwhile is read first,
 * and silence is not blamed on it.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onExpired: () => void;
  #leftMs: number;
  #countedAt: number;
  #isPaused = false;
  #isCancelled = false;
  /** Present while a tick is to come. */
  #cancel: Cancel | undefined;

  constructor(clock: Clock, deadlineMs: number, onExpired: () => void) {
    this.#clock = clock;
    this.#tickMs = deadlineMs / TICKS;
    this.#onExpired = onExpired;
    this.#leftMs = deadlineMs;
    this.#countedAt = clock.now();
    this.#tick();
  }

  /** Begins again with all of `deadlineMs`. It is cheap, and meant to be called for every chunk that arrives. */
  restart(): void {
    if (this.#isCancelled) return;
    this.#leftMs = TICKS * this.#tickMs;
    this.#countedAt = this.#clock.now();
    this.#isPaused = false;
    if (!this.#cancel) this.#tick();
  }

  /** Counts nothing until `restart`. The timer runs on for a tick: to pause and restart makes no other one. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Ends it for good. */
  cancel(): void {
    this.#isCancelled = true;
    this.#cancel?.();
  }

  #tick(): void {
    this.#cancel = this.#clock.after(Math.min(this.#tickMs, this.#leftMs), () => {
      this.#cancel = undefined;
      if (this.#isPaused) return;
      const now = this.#clock.now();
      this.#leftMs -= Math.min(Math.max(0, now - this.#countedAt), MOST_TICKS_AT_ONCE * this.#tickMs);
      this.#countedAt = now;
      if (this.#leftMs >= 1) this.#tick();
      else this.#onExpired();
    });
  }
}

/** Settles as the promise does, or rejects with an error that names `what` once the deadline is over. */
export function within<T>(clock: Clock, deadlineMs: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(clock, deadlineMs, () => reject(new Error(`${what}: not within ${deadlineMs} ms`)));
    promise.then(resolve, reject).finally(() => deadline.cancel());
  });
}
