import type { Cancel, Clock } from '../clock.js';
import { SHARD_COUNT } from './keys.js';

/**
 * Shortest pause between two looks, ms. Where they would have to be closer together, a few shards are looked at
 * together.
 */
const MIN_PAUSE_MS = 100;

interface ShardSweepOptions {
  readonly clock: Pick<Clock, 'after' | 'random'>;
  /** Time in which all gateways together look at every shard once, ms. */
  readonly sweepMs: number;
  /** How many gateways there are now. The more there are, the less often each of them looks. Default: 1. */
  readonly gateways?: (() => number) | undefined;
  /** Looks at one shard. A look that fails is left to the next round, of this gateway or of another one. */
  readonly look: (shard: number) => Promise<unknown>;
}

/**
 * Looks at all virtual shards in turn, for what a gateway that is gone has left there. The gateways share the work, so
 * a deployment is asked equally often however many there are. Each gateway begins at a shard of its own.
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
