import type { Cancel, Clock } from '../clock.js';
import { SHARD_COUNT } from './keys.js';

/** Timers are not kept for less than this, ms: a few shards at a time instead. */
const MIN_PAUSE_MS = 100;

interface ShardSweepOptions {
  readonly clock: Pick<Clock, 'after' | 'random'>;
  /** Time in which all gateways together look at every shard once, ms. */
  readonly sweepMs: number;
  /** How many gateways there are now: the more, the more seldom each of them looks. Default 1. */
  readonly gateways?: (() => number) | undefined;
  /** Looks at one shard. What fails is left to the next round, here or at another gateway. */
  readonly look: (shard: number) => Promise<unknown>;
}

/**
 * Looks at all virtual shards by turns, for what a gateway that is gone has left there. It costs a deployment the same,
 * however many gateways share the work; each begins at a shard of its own.
 */
export class ShardSweep {
  readonly #options: ShardSweepOptions;
  #next = 0;
  #cancel: Cancel = () => {};

  constructor(options: ShardSweepOptions) {
    this.#options = options;
  }

  start(): void {
    this.#next = Math.floor(this.#options.clock.random() * SHARD_COUNT);
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(): void {
    const { clock, sweepMs, gateways = () => 1, look } = this.#options;
    const pauseMs = (sweepMs * Math.max(1, gateways())) / SHARD_COUNT;
    const shards = Math.max(1, Math.ceil(MIN_PAUSE_MS / pauseMs));
    this.#cancel = clock.after(pauseMs * shards, () => {
      for (let i = 0; i < shards; i++) {
        look(this.#next).catch(() => {});
        this.#next = (this.#next + 1) % SHARD_COUNT;
      }
      this.#schedule();
    });
  }
}
