import { type Cancel, type Clock, every } from '../clock.js';
import type { Stall } from './stalls.js';

interface StallLogOptions {
  readonly stalls: () => readonly Stall[];
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Record<'info' | 'warn', (context: object, message: string) => void>;
}

const LOOK_MS = 1_000;

/**
 * Writes into the gateway's log that channels of a part of the broker stand still, and why: once when that begins, and
 * once when it is over.
 */
export class StallLog {
  readonly #options: StallLogOptions;
  /** The parts of the broker whose stall is in the log, and not over yet. */
  readonly #told = new Set<string>();
  #cancel: Cancel = () => {};

  constructor(options: StallLogOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = every(this.#options.clock, LOOK_MS, () => this.#look());
  }

  close(): void {
    this.#cancel();
  }

  #look(): void {
    const { stalls, log } = this.#options;
    const standing = stalls();
    for (const { shard, channels, forMs, reason } of standing) {
      if (this.#told.has(shard)) continue;
      this.#told.add(shard);
      log.warn({ shard, channels, forMs: Math.round(forMs), reason }, 'channels stand still');
    }
    for (const shard of this.#told) {
      if (standing.some((one) => one.shard === shard)) continue;
      this.#told.delete(shard);
      log.info({ shard }, 'no channels stand still any more');
    }
  }
}
