import { VirtualClock } from '@fanfare/client/testing';
import type { Clock } from '../clock.js';

// The originals are kept, because test runners replace these.
const { setImmediate: soon, setTimeout: later } = globalThis;

/** The clock of gateway and clients. It stands still until it is moved, and its random numbers follow from a seed. */
export class TestClock extends VirtualClock implements Clock {
  readonly wall = (): number => this.now();

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  /** Moves time on, and lets promises settle between timers. */
  async run(ms: number): Promise<void> {
    const endMs = this.now() + ms;
    do await settle();
    while (this.fireNext(endMs));
    this.advance(endMs - this.now());
    await settle();
  }
}

/** Resolves once everything has happened to which promises lead. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    if (soon) soon(resolve);
    else later(resolve);
  });
}
