import type { Cancel, Clock } from '../../src/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that moves when told to. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#nowMs;
  }

  /** Moves on, calling what is due on the way in order of time. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let timer = this.#due(until); timer; timer = this.#due(until)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.at);
      timer.callback();
    }
    this.#nowMs = until;
  }

  /** Steps, as a corrected system clock does: timers stay as they are. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  get timers(): number {
    return this.#timers.size;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { at: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  random(): number {
    return 0.5;
  }

  #due(until: number): Timer | undefined {
    const due = [...this.#timers].filter(({ at }) => at <= until);
    return due.sort((a, b) => a.at - b.at)[0];
  }
}
