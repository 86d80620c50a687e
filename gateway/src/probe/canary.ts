import type { Membership } from '../hub/channel.js';

/** How many failures in a row make a part fail, and how many successes in a row make it well again. */
const FAILURES = 3;
const SUCCESSES = 2;

/** What was learnt about one part of the broker. It changes slowly, so that one busy minute does not matter. */
export class Canary {
  readonly channel: string;
  /** The canary's place on its channel, once it has one. */
  membership: Membership | undefined;
  /** Whether a probe is under way. */
  isOut = false;
  #isFailing = false;
  /** Whether the failure was reported, and not yet that the part is well again. It outlives {@link forget}. */
  #isTold = false;
  #failures = 0;
  #successes = 0;
  /** Whether a probe was read back once: until then one failure is enough. */
  #isProven = false;

  constructor(channel: string) {
    this.channel = channel;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Notes that a probe was read back. Returns whether a failure had been reported, and is over now. */
  succeeded(): boolean {
    this.#isProven = true;
    this.#failures = 0;
    this.#successes++;
    if (this.#isFailing && this.#successes < SUCCESSES) return false;
    const wasTold = this.#isTold;
    this.#isFailing = false;
    this.#isTold = false;
    return wasTold;
  }

  /** Notes that a probe was not read back. Returns whether the part counts as failing from now on. */
  failed(): boolean {
    this.#successes = 0;
    this.#failures++;
    if (this.#isFailing || (this.#isProven && this.#failures < FAILURES)) return false;
    this.#isFailing = true;
    this.#isTold = true;
    return true;
  }

  /** Forgets what was learnt, which says nothing about what comes, because the part is known to be down. */
  forget(): void {
    this.#failures = 0;
    this.#isFailing = false;
  }
}
