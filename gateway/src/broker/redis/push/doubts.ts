import type { Cancel, Clock } from '../../../clock.js';
import type { VirtualShard } from './virtual-shard.js';

/**
 * Virtual shards whose slot is on the move. While a slot is handed over, its keys leave one by one, and messages may be
 * published where nobody listens yet. So the channels of the slot are told to compare with the log every second, and
 * once more when the move is over.
 */
export class Doubts {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #isMoving: (shard: VirtualShard) => boolean;
  readonly #onDoubt: (channels: number) => void;
  readonly #until = new Map<VirtualShard, number>();
  #cancel: Cancel | undefined;

  constructor(
    clock: Clock,
    intervalMs: number,
    isMoving: (shard: VirtualShard) => boolean,
    onDoubt: (channels: number) => void,
  ) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#isMoving = isMoving;
    this.#onDoubt = onDoubt;
  }

  /** Notes that the slot of this shard is moving, as the topology or a server says. */
  raise(shard: VirtualShard): void {
    const isNew = !this.#until.has(shard);
    this.#until.set(shard, this.#clock.now() + 2 * this.#intervalMs);
    if (isNew) this.#tell(shard);
    this.#cancel ??= this.#clock.after(this.#intervalMs, () => this.#tick());
  }

  close(): void {
    this.#cancel?.();
    this.#until.clear();
  }

  #tick(): void {
    for (const [shard, until] of this.#until) {
      this.#tell(shard);
      if (this.#isMoving(shard)) this.#until.set(shard, this.#clock.now() + 2 * this.#intervalMs);
      else if (until < this.#clock.now()) this.#until.delete(shard);
    }
    this.#cancel = this.#until.size > 0 ? this.#clock.after(this.#intervalMs, () => this.#tick()) : undefined;
  }

  #tell(shard: VirtualShard): void {
    if (shard.channels.size > 0) this.#onDoubt(shard.channels.size);
    shard.doubt();
  }
}
