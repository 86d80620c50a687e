/** How many of the last probes are compared. The quickest of them says the time. */
const KEPT = 12;

interface Sample {
  readonly aheadMs: number;
  readonly errorMs: number;
}

/** How far another clock is ahead, from messages that are stamped there on their way round (as NTP does it). */
export class ClockComparison {
  #samples: Sample[] = [];

  /**
   * @param stampedAtMs by the other clock, in whole ms
   * @param sentAtMs by ours
   * @param tookMs the whole way round; the stamp lies somewhere on it
   * @returns how far the other clock is ahead, as far as is known; 0 where that lies within the error
   */
  learn(stampedAtMs: number, sentAtMs: number, tookMs: number): number {
    const errorMs = tookMs / 2 + 1;
    this.#samples = [...this.#samples.slice(1 - KEPT), { aheadMs: stampedAtMs - (sentAtMs + tookMs / 2), errorMs }];
    const best = this.#samples.reduce((a, b) => (b.errorMs < a.errorMs ? b : a));
    return Math.abs(best.aheadMs) <= best.errorMs ? 0 : Math.round(best.aheadMs);
  }
}
