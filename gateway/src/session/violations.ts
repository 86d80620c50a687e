/** How many violations of one kind within a minute end a connection. */
const MAX_VIOLATIONS = 10;
const VIOLATIONS_WINDOW_MS = 60_000;

/** One connection's violations of one kind. */
export class Violations {
  /** When the last violations were, oldest first, ms. */
  readonly #times: number[] = [];

  /** Notes a violation. Returns whether it is the tenth within a minute. */
  add(nowMs: number): boolean {
    this.#times.push(nowMs);
    if (this.#times.length < MAX_VIOLATIONS) return false;
    return nowMs - (this.#times.shift() as number) < VIOLATIONS_WINDOW_MS;
  }
}

/** How many frames refused as too fast, within a stretch of {@link REFUSALS_WINDOW_MS}, end a connection. */
const MAX_REFUSALS = 2_000;
const REFUSALS_WINDOW_MS = 10_000;

/** One connection's frames that came too fast. */
export class RateRefusals {
  #count = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** Notes a refusal. Returns whether there are far more of them than a client that heeds the answers would cause. */
  add(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= REFUSALS_WINDOW_MS) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    return ++this.#count >= MAX_REFUSALS;
  }
}
