/** Time, injected so that tests can own it. All times are ms. */
export interface Clock {
  /** ms, of a clock that never steps: for durations and deadlines. Where it began is nobody's business. */
  now(): number;
  /** ms since the Unix epoch, an integer: for what others are told. May step when the system's clock is set. */
  wall(): number;
  /** Calls back once after at least `delayMs`; the result cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back once in the next turn of the event loop, outside of any I/O handler. */
  soon(callback: () => void): void;
  /** A number in [0, 1) for jitter; here because whoever owns time in a test owns chance as well. */
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

/** Calls back again and again, `intervalMs` after the last time, until the result is called. */
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

/** Exponential backoff with jitter before the next try: 50 ms doubled up to 2 s, at least half of it. */
export function pause(clock: Clock, attempt: number): Promise<void> {
  return sleep(clock, Math.min(2_000, 50 * 2 ** attempt) * (0.5 + clock.random() / 2));
}
