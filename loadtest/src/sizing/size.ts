/** How many gateways and masters a load needs, and what limits it first. */
import type { Costs } from './costs.js';
import { type Load, populate } from './placement.js';
import { type Simulation, simulate } from './simulate.js';

/** How much load the busiest gateway and the busiest master may have. */
export interface Limits {
  /**
   * Largest share of one core, as it is predicted. Gateways took up to 1.4 times as much when measured, and bursts and
   * restarts need room.
   */
  readonly cpu: number;
  readonly gatewayMemoryBytes: number;
  /** Most bytes that a gateway or a master sends per second. */
  readonly outputBytes: number;
}

export const DEFAULT_LIMITS: Limits = { cpu: 0.5, gatewayMemoryBytes: 1024 ** 3, outputBytes: 60e6 };

interface Use {
  readonly what: 'gateway CPU' | 'gateway memory' | 'gateway output' | 'Redis CPU' | 'Redis output';
  /** How much of the limit is used; 1 is all of it. */
  readonly share: number;
}

/** How much of its limits the busiest gateway and the busiest master use, the highest use first. */
export function usesOf({ gateways, masters }: Simulation, limits: Limits): readonly Use[] {
  const uses: Use[] = [
    { what: 'gateway CPU', share: most(gateways, ({ cpu }) => cpu) / limits.cpu },
    { what: 'gateway memory', share: most(gateways, ({ memoryBytes }) => memoryBytes) / limits.gatewayMemoryBytes },
    { what: 'gateway output', share: most(gateways, ({ outputBytes }) => outputBytes) / limits.outputBytes },
    { what: 'Redis CPU', share: most(masters, ({ cpu }) => cpu) / limits.cpu },
    { what: 'Redis output', share: most(masters, ({ outputBytes }) => outputBytes) / limits.outputBytes },
  ];
  return uses.sort((a, b) => b.share - a.share);
}

export function most<T>(list: readonly T[], figureOf: (one: T) => number): number {
  return list.reduce((largest, one) => Math.max(largest, figureOf(one)), 0);
}

export interface Size {
  readonly load: Load;
  readonly simulation: Simulation;
  readonly uses: readonly Use[];
}

const SEED = 1;
const MAX_GATEWAYS = 1_000;
/** Most masters: each then still has two virtual shards. */
const MAX_MASTERS = 128;

/**
 * The smallest fleet whose busiest gateway and master stay within the limits. Each step adds what the step before it
 * lacked.
 * @throws {Error} if no fleet can carry the load; a single hot channel can be the reason
 */
export function sizeFor(wanted: Omit<Load, 'gateways' | 'masters'>, costs: Costs, limits = DEFAULT_LIMITS): Size {
  let load: Load = { ...wanted, gateways: 1, masters: 1 };
  const population = populate(load);
  for (;;) {
    const simulation = simulate(load, costs, SEED, population);
    const uses = usesOf(simulation, limits);
    const full = (kind: string) =>
      most(
        uses.filter(({ what }) => what.startsWith(kind)),
        ({ share }) => share,
      );
    const [gateway, redis] = [full('gateway'), full('Redis')];
    if (gateway <= 1 && redis <= 1) return { load, simulation, uses };
    load = {
      ...load,
      gateways: gateway > 1 ? Math.ceil(load.gateways * gateway) : load.gateways,
      masters: redis > 1 ? Math.max(load.masters + 1, Math.floor(load.masters * Math.sqrt(redis))) : load.masters,
    };
    if (load.gateways > MAX_GATEWAYS || load.masters > MAX_MASTERS)
      throw new Error(
        `${uses[0]?.what} is full at ${simulation.gateways.length} gateways and ${simulation.masters.length} masters, and more do not help`,
      );
  }
}
