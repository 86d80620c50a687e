import type { Clock } from '../clock.js';
import { Gate } from './gate.js';

/**
 * A gate that is open while nothing says that the log may have lost a channel's cursor. A page of the log that judged
 * the cursor opens it, and the next doubt closes it.
 */
export class Certainty extends Gate {
  #doubts = 0;

  constructor(clock: Pick<Clock, 'after'>) {
    super(clock, 'the channel is compared with its log');
  }

  /** How often the cursor was doubted. Whoever asks for a page remembers this number, and hands it to `judged`. */
  get doubts(): number {
    return this.#doubts;
  }

  /** From now on the log may have lost the cursor, until it is asked. */
  doubt(): void {
    this.#doubts++;
    this.close();
  }

  /** Notes that a page has judged the cursor. A page that was asked for before the last doubt proves nothing. */
  judged(doubtsWhenAsked: number): void {
    if (doubtsWhenAsked === this.#doubts) this.open();
  }
}
