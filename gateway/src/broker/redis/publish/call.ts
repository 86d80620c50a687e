import type { PublishOutcome } from '../../broker.js';

/** A call of `publish` that is not answered yet. */
export class Call {
  readonly #outcomes: PublishOutcome[];
  #open: number;
  readonly #resolve: (outcomes: PublishOutcome[]) => void;

  /** @param size how many messages it has, at least one */
  constructor(size: number, resolve: (outcomes: PublishOutcome[]) => void) {
    this.#outcomes = new Array(size);
    this.#open = size;
    this.#resolve = resolve;
  }

  /** Takes the outcome of one message. To be called once for each; the last one answers the call. */
  settle(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome;
    if (--this.#open === 0) this.#resolve(this.#outcomes);
  }
}
