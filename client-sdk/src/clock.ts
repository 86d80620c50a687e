/** Time and chance, injected so that tests can own them. All times are ms. */
export interface Clock {
  /** ms since the Unix epoch. */
  now(): number;
  /** Calls back once after at least `delayMs`, of which Infinity is one; the result cancels it. */
  after(delayMs: number, callback: () => void): Cancel;
  /** A number in [0, 1): spreads reconnections and makes publish keys. */
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
