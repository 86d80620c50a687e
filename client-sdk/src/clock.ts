/** What tells the time, sets timers and makes random numbers, so that tests can own them. All times are ms. */
export interface Clock {
  /** Returns the time, ms since the Unix epoch. */
  now(): number;
  /** Calls back once after at least `delayMs`, which may be Infinity. Returns a function that cancels it. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Returns a number from 0 on and below 1, which spreads reconnections and makes keys of publishes. */
  random(): number;
}

/** Ends what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

/** Longest timer that JavaScript takes, ms: a longer one would fire at once. */
export const MAX_DELAY_MS = 2 ** 31 - 1;

/** The machine's own clock. Its timers keep a Node process alive: a client that reconnects is at work. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
