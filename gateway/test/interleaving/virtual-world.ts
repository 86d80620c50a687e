import type { Cancel, Clock } from '../../src/clock.js';

/** One thing that could happen next. */
interface Task {
  readonly what: string;
  readonly run: () => void;
}

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Time and chance of a test: tasks that are ready run in an order which `choose` picks, one at a
 * time, and timers when nothing else is ready (or when `choose` lets time pass). The same choices
 * give the same run.
 */
export class VirtualWorld implements Clock {
  readonly trace: string[] = [];
  readonly #choose: (options: number) => number;
  #nowMs = 1_700_000_000_000;
  #tasks: Task[] = [];
  #timers: Timer[] = [];
  #order = 0;

  /** @param choose an integer from 0 to `options` - 1. */
  constructor(choose: (options: number) => number) {
    this.#choose = choose;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#nowMs;
  }

  /** Unbound, as `Math.random` is. */
  random = (): number => this.#choose(1024) / 1024;

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  soon(callback: () => void): void {
    this.schedule(callback, 'soon');
  }

  /** Runs at any later time, before or after whatever else is ready. */
  schedule = (run: () => void, what: string): void => {
    this.#tasks.push({ run, what });
  };

  /** Runs `steps` ready tasks, or until none is; time stands still. */
  async settle(steps: number): Promise<void> {
    await turn();
    for (let step = 0; step < steps && this.#tasks.length > 0; step++) await this.#runOne();
  }

  /** Lets this much time pass, with everything that happens in it. */
  async pass(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (let guard = 0; ; guard++) {
      if (guard > 30_000) throw new Error(`the world does not come to rest: ${this.trace.slice(-40).join(' | ')}`);
      await turn();
      if (this.#tasks.length > 0) {
        await this.#runOne();
        continue;
      }
      const next = this.#earliest();
      if (!next || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }

  async #runOne(): Promise<void> {
    const [task] = this.#tasks.splice(this.#choose(Math.min(this.#tasks.length, 8)), 1) as [Task];
    this.trace.push(task.what);
    task.run();
    await turn();
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (!earliest || timer.atMs < earliest.atMs || (timer.atMs === earliest.atMs && timer.order < earliest.order)) {
        earliest = timer;
      }
    }
    return earliest;
  }
}

/** All microtasks that are due. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
