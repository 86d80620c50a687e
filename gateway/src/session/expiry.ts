/** Tokens end: how clients are told when, and what ends with them. */
import type { Cancel, Clock } from '../clock.js';

/** What can expire: a session. */
interface Expiring {
  /** Takes away what has ended by now, ms since the Unix epoch. */
  expire(nowMs: number): void;
}

/** Half of what is promised: what has expired has ended within a second. */
const SWEEP_INTERVAL_MS = 500;

/** Looks at all sessions twice a second: one timer, whatever their number. */
export class Expiry {
  readonly #sessions: Iterable<Expiring>;
  readonly #clock: Clock;
  #timer: Cancel;

  constructor(sessions: Iterable<Expiring>, clock: Clock) {
    this.#sessions = sessions;
    this.#clock = clock;
    this.#timer = clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
  }

  stop(): void {
    this.#timer();
  }

  #sweep(): void {
    const nowMs = this.#clock.wall();
    for (const session of this.#sessions) session.expire(nowMs);
    this.#timer = this.#clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
  }
}

/**
 * The fields by which a client is told when a token ends: the time, and how long that is from now, so that its clock
 * need not agree with ours. None for what never ends.
 */
export function expiry(
  expiresAt: number | undefined,
  clock: Pick<Clock, 'wall'>,
): { readonly expires?: number; readonly expiresIn?: number } {
  if (expiresAt === undefined) return {};
  return { expires: expiresAt, expiresIn: Math.max(0, expiresAt - clock.wall()) };
}
