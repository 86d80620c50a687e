import type { Cancel, Clock } from '../clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is moved, with chance that a seed repeats. */
export class VirtualClock implements Clock {
  #now: number;
  #seed: number;
  /** The timers in the order in which they fire: by time, then by when they were set. */
  readonly #timers: Timer[] = [];

  /** `startMs`: ms since the Unix epoch; `seed`: of its chance. */
  constructor({ startMs = 1_700_000_000_000, seed = 1 } = {}) {
    this.#now = startMs;
    this.#seed = seed;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), callback };
    const index = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(index < 0 ? this.#timers.length : index, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  /** mulberry32 (Tommy Ettinger, public domain): small, and good enough for jitter. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Moves time on, firing what falls due on the way, in order. */
  advance(byMs: number): void {
    const end = this.#now + byMs;
    while (this.fireNext(end));
    this.#now = end;
  }

  /** Moves time on to the next timer and fires it, if it falls due by then; whether there was one. */
  fireNext(untilMs: number): boolean {
    const [timer] = this.#timers;
    if (timer === undefined || timer.at > untilMs) return false;
    this.#timers.shift();
    this.#now = timer.at;
    timer.callback();
    return true;
  }
}

/** Lets promises that are settled run what waits for them. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
