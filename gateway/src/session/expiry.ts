/** The end of tokens: how clients are told of it, and what ends with a token. */
import type { Cancel, Clock } from '../clock.js';

/** Something that can expire: a session. */
interface Expiring {
  /** Takes away everything that has ended by this time, ms since the Unix epoch. */
  expire(nowMs: number): void;
}

/**
 * How often sessions are looked at, ms. It is promised that what has expired ends within a second, and this is half of
 * that.
 */
const SWEEP_INTERVAL_MS = 500;

/** Looks at all sessions twice a second, with one timer for all of them. */
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
 * need not agree with ours. There are no such fields for what never ends.
 */
export function expiry(
  expiresAt: number | undefined,
  clock: Pick<Clock, 'wall'>,
): { readonly expires?: number; readonly expiresIn?: number } {
  if (expiresAt === undefined) return {};
  return { expires: expiresAt, expiresIn: Math.max(0, expiresAt - clock.wall()) };
}
