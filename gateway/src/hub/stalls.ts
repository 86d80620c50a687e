import type { ShardHealth } from '../broker/broker.js';
import type { Clock } from '../clock.js';

/** The part of the hub that a channel needs to say that it stands still. */
interface StallContext {
  readonly clock: Pick<Clock, 'now'>;
  readonly options: { readonly joinTimeoutMs: number };
  /** Channels that do not follow their pushes now. */
  readonly standing: Set<Standstill>;
}

/** Knows the part of the broker that serves the channel now. */
interface Carrier {
  readonly shard: string;
}

/** The time in which a channel does not follow its pushes, because it reads its log or fails to. */
export class Standstill {
  /** Why the channel does not go on. */
  reason = 'it has not read its log yet';
  readonly #context: StallContext;
  readonly #carrier: Carrier;
  #sinceMs: number | undefined;

  constructor(context: StallContext, carrier: Carrier) {
    this.#context = context;
    this.#carrier = carrier;
  }

  /** Notes that the channel does not follow its pushes from now on, if it was not so before. */
  begin(): void {
    if (this.#sinceMs !== undefined) return;
    this.moved();
    this.#context.standing.add(this);
  }

  /** Notes that the channel got ahead, by reading its log. */
  moved(): void {
    this.#sinceMs = this.#context.clock.now();
  }

  /** Notes that the channel follows its pushes again, or has ended. */
  end(): void {
    this.#sinceMs = undefined;
    this.#context.standing.delete(this);
  }

  /**
   * Set if the channel has not got ahead for longer than a join may wait. Its subscribers then hear nothing, whatever
   * is published.
   */
  get stall(): Omit<Stall, 'channels'> | undefined {
    if (this.#sinceMs === undefined) return undefined;
    const forMs = this.#context.clock.now() - this.#sinceMs;
    if (forMs < this.#context.options.joinTimeoutMs) return undefined;
    return { shard: this.#carrier.shard, forMs, reason: this.reason };
  }
}

/** Channels of one part of the broker that stand still: their subscribers hear nothing, and nobody can join. */
export interface Stall {
  /** The part of the broker, as `Broker.health` names it. */
  readonly shard: string;
  readonly channels: number;
  /** How long the channel that stopped first has stood still, ms. */
  readonly forMs: number;
  readonly reason: string;
}

export function stallsOf(channels: Iterable<Standstill>): Stall[] {
  const stalls = new Map<string, Stall>();
  for (const { stall } of channels) {
    if (!stall) continue;
    const known = stalls.get(stall.shard);
    const longest = known && known.forMs >= stall.forMs ? known : stall;
    stalls.set(stall.shard, { ...longest, channels: (known?.channels ?? 0) + 1 });
  }
  return [...stalls.values()];
}

/**
 * The parts of the broker, with the stalls of each. A part with stalls stays `ok`: it serves, and so do its other
 * channels, and nothing would be better without this gateway.
 */
export function withStalls(health: readonly ShardHealth[], stalls: readonly Stall[]): ShardHealth[] {
  return health.map((part) => {
    const stall = stalls.find(({ shard }) => shard === part.shard);
    if (!stall) return part;
    const seconds = Math.round(stall.forMs / 1000);
    const text = `${stall.channels} channels stand still, the first for ${seconds} s: ${stall.reason}`;
    return { ...part, detail: part.detail === undefined ? text : `${part.detail}; ${text}` };
  });
}
