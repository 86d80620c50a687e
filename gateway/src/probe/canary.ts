import type { Membership } from '../hub/channel.js';

/** So many failures in a row make a part fail, and so many successes in a row make it well again. */
const FAILURES = 3;
const SUCCESSES = 2;

/** What was learnt of one part of the broker, slowly enough that a busy minute changes no mind. */
export class Canary {
  readonly channel: string;
  /** Its place on the channel, once it has one. */
  membership: Membership | undefined;
  /** A probe is under way. */
  isOut = false;
  #isFailing = false;
  /** It was told that the part fails, and not yet that it is well again: that outlives {@link forget}. */
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

  /** The probe was read back. Returns whether that it fails was told, and is over. */
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

  /** The probe was not read back. Returns whether the part counts as failing since then. */
  failed(): boolean {
    this.#successes = 0;
    this.#failures++;
    if (this.#isFailing || (this.#isProven && this.#failures < FAILURES)) return false;
    this.#isFailing = true;
    this.#isTold = true;
    return true;
  }

  /** What was learnt says nothing about what comes: the part is known to be down. */
  forget(): void {
    this.#failures = 0;
    this.#isFailing = false;
  }
}
