import type { Clock } from '../clock.js';
import { Gate } from './gate.js';

/** Open while nothing says that the log may have lost a channel's cursor: from a page that judged it to the next doubt. */
export class Certainty extends Gate {
  #doubts = 0;

  constructor(clock: Pick<Clock, 'after'>) {
    super(clock, 'the channel is compared with its log');
  }

  /** How often it was doubted: to be remembered when a page is asked for. */
  get doubts(): number {
    return this.#doubts;
  }

  /** Until the log is asked, from now on, it may have lost the cursor. */
  doubt(): void {
    this.#doubts++;
    this.close();
  }

  /** A page has judged the cursor. One that was asked for before the last doubt says nothing. */
  judged(doubtsWhenAsked: number): void {
    if (doubtsWhenAsked === this.#doubts) this.open();
  }
}
