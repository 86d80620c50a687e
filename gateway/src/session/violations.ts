/** Of one kind, within a minute, that end a connection. */
const MAX_VIOLATIONS = 10;
const WINDOW_MS = 60_000;

/** One connection's violations of one kind. */
export class Violations {
  /** When the last ones were, oldest first, ms. */
  readonly #times: number[] = [];

  /** Whether this is the tenth within a minute. */
  add(nowMs: number): boolean {
    this.#times.push(nowMs);
    if (this.#times.length < MAX_VIOLATIONS) return false;
    return nowMs - (this.#times.shift() as number) < WINDOW_MS;
  }
}
