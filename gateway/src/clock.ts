/** Time, injected so that tests can own it. All times are ms. */
export interface Clock {
  /** ms since the Unix epoch. */
  now(): number;
  /** Calls back once after at least `delayMs`; the result cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back once in the next turn of the event loop, outside of any I/O handler. */
  soon(callback: () => void): void;
}

export type Cancel = () => void;

export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon(callback) {
    setImmediate(callback);
  },
};

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
