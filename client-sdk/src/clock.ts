/** Time and chance, injected so that tests can own them. All times are ms. */
export interface Clock {
  /** ms since the Unix epoch. */
  now(): number;
  /** Calls back once after at least `delayMs`; the result cancels it. */
  after(delayMs: number, callback: () => void): Cancel;
  /** A number in [0, 1): spreads reconnections and makes publish keys. */
  random(): number;
}

export type Cancel = () => void;

/** The machine's own clock. Its timers keep a Node process alive: a client that reconnects is at work. */
export const systemClock: Clock = {
  now: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
