import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../clock.js';

/** How long a measurement lasts at least, ms, so that frequent scrapes do not shorten it. */
const WINDOW_MS = 10_000;
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 1];

/** How late the event loop of this process is, and how busy. */
export class EventLoopWatch {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #since: number;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#delay.enable();
  }

  /**
   * How much later than due timers ran, s, by quantile. It is measured over at least the last ten seconds, or since the
   * begin.
   */
  delays(): (readonly [[quantile: number], seconds: number])[] {
    const late = (quantile: number) => {
      const ns = this.#delay.count > 0 ? this.#delay.percentile(100 * quantile) : 0;
      return Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000);
    };
    const delays = QUANTILES.map((quantile) => [[quantile], late(quantile)] as const) as [[number], number][];
    const now = this.#clock.now();
    if (now - this.#since < WINDOW_MS) return delays;
    this.#since = now;
    this.#delay.reset();
    return delays;
  }

  /** How long the loop was busy since the process began, s. */
  get busySeconds(): number {
    const { active }: EventLoopUtilization = performance.eventLoopUtilization();
    return active / 1000;
  }
}
