/** Time, injected so that tests can own it. All times are ms. */
export interface Clock {
  /** Time of a clock that never steps, ms; for durations and deadlines. Where it begins has no meaning. */
  now(): number;
  /**
   * Time since the Unix epoch, ms, an integer; for what others are told. It may step when the clock of the system is
   * set.
   */
  wall(): number;
  /**
   * Calls back once, after at least `delayMs`. Returns a function that cancels it. It never keeps the process alive.
   */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back once in the next turn of the event loop, outside of any I/O handler. */
  soon(callback: () => void): void;
  /**
   * A random number from 0 to below 1, for jitter. It is part of the clock because a test that controls time controls
   * chance as well.
   */
  random(): number;
}

export type Cancel = () => void;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon(callback) {
    setImmediate(callback);
  },
  random: Math.random,
};

/** Calls back again and again, each time `intervalMs` after the last time. Returns a function that ends it. */
export function every(clock: Pick<Clock, 'after'>, intervalMs: number, callback: () => void): Cancel {
  let cancel: Cancel;
  const wait = () => {
    cancel = clock.after(intervalMs, () => {
      wait();
      callback();
    });
  };
  wait();
  return () => cancel();
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/**
 * Waits before the next try, by exponential backoff with jitter: between a half and all of 50 ms, doubled with each
 * attempt up to 2 s.
 */
export function pause(clock: Clock, attempt: number): Promise<void> {
  return sleep(clock, Math.min(2_000, 50 * 2 ** attempt) * (0.5 + clock.random() / 2));
}
