import { type Cancel, type Clock, every } from '../clock.js';
import type { Stats } from '../stats.js';
import type { Logger } from './logger.js';

/** How often the counters are looked at, ms. */
const LOOK_MS = 1_000;
/** Least time between two lines about the same limit, ms. */
const QUIET_MS = 60_000;

/** How often a limit had been hit when it was last logged. */
interface Told {
  readonly hits: number;
  readonly atMs: number;
}

/**
 * Logs which limits are hit. There is a line for the first time of each, and then one a minute at most, with how often
 * it was hit since.
 */
export class LimitLog {
  readonly #stats: Pick<Stats, 'limitsHit' | 'rateLimited'>;
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #told = new Map<string, Told>();
  #cancel: Cancel = () => {};

  constructor(
    stats: Pick<Stats, 'limitsHit' | 'rateLimited'>,
    clock: Pick<Clock, 'now' | 'after'>,
    logger: Pick<Logger, 'warn'>,
  ) {
    this.#stats = stats;
    this.#clock = clock;
    this.#logger = logger;
  }

  start(): void {
    this.#cancel = every(this.#clock, LOOK_MS, () => this.#look());
  }

  close(): void {
    this.#cancel();
    this.#look();
  }

  #look(): void {
    const { limitsHit, rateLimited } = this.#stats;
    for (const [limit, hits] of limitsHit) this.#compare(limit, hits);
    this.#compare('rates of a connection', rateLimited);
  }

  #compare(limit: string, hits: number): void {
    const told = this.#told.get(limit) ?? { hits: 0, atMs: Number.NEGATIVE_INFINITY };
    const now = this.#clock.now();
    if (hits === told.hits || now - told.atMs < QUIET_MS) return;
    this.#told.set(limit, { hits, atMs: now });
    this.#logger.warn({ limit, hits: hits - told.hits }, 'a limit is hit; it is told of once a minute at most');
  }
}
