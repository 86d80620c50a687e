import type { Announcement } from './channels.js';

/** Without a word from the leader for so long there is none, ms. */
export const SILENCE_MS = 1_200;
/** How often the leader speaks, ms. */
export const ANNOUNCE_EVERY_MS = 400;

/**
 * Who publishes, of all open pages? The one that does says so again and again; where none is heard, a
 * page begins; where two are, the smaller id stays. No lock: two leaders for a moment do no harm.
 */
export class Leadership {
  readonly id: string;
  /** Ticks a second that were wanted last, by whichever page. */
  rate: number;
  #leads = false;
  #heardAt: number;

  constructor(id: string, rate: number, nowMs: number) {
    this.id = id;
    this.rate = rate;
    this.#heardAt = nowMs;
  }

  get leads(): boolean {
    return this.#leads;
  }

  hear({ publisher, leads, rate }: Announcement, nowMs: number): void {
    if (publisher === this.id) return;
    this.rate = rate;
    if (!leads) return;
    this.#heardAt = nowMs;
    if (publisher < this.id) this.#leads = false;
  }

  /** To be called again and again, while connected. */
  watch(nowMs: number): void {
    if (nowMs - this.#heardAt >= SILENCE_MS) this.#leads = true;
  }

  /** Connected anew: listens first. */
  listen(nowMs: number): void {
    this.#leads = false;
    this.#heardAt = nowMs;
  }
}
