import { SHARD_COUNT, slotOfShard } from '../keys.js';
import type { RedisAddress } from '../url.js';

/** The slots in which virtual shards live. All other slots do not concern us. */
export const SHARD_SLOTS: readonly number[] = [
  ...new Set(Array.from({ length: SHARD_COUNT }, (_, shard) => slotOfShard(shard))),
].sort((a, b) => a - b);

export interface MasterAddress extends RedisAddress {
  /**
   * The other name of this server in a Cluster that announces hostnames: its IP if `host` is the hostname, and the
   * reverse. Redirections may use either.
   */
  readonly otherHost?: string;
}

/** Who serves what, as far as it can be known from outside. Masters are named `host:port`. */
export interface TopologyView {
  readonly masters: ReadonlyMap<string, MasterAddress>;
  /** Slot to the name of its master, for the slots in `SHARD_SLOTS`. A slot that nobody serves is absent. */
  readonly owners: ReadonlyMap<number, string>;
  /** Slots that are being handed from one master to another. */
  readonly moving: ReadonlySet<number>;
}

/**
 * Knows where the masters are, and finds out when they change. Its connections ask questions only; they do not serve
 * commands.
 */
export interface Topology {
  /** The current view; `undefined` until some node has answered. */
  readonly view: TopologyView | undefined;
  /** Why one of the nodes gives no answer; `undefined` if all of them answer. */
  readonly problem: string | undefined;
  start(): void;
  close(): void;
  /** Asks all nodes again. Resolves once all that can be reached have answered. */
  refresh(): Promise<void>;
  /**
   * Whether this master serves the slot: a majority of the nodes that know has to say so, and all of them are asked
   * after this call.
   */
  confirm(slot: number, master: string): Promise<boolean>;
  /**
   * Whether there is a master at this address: a majority of the nodes that know has to say so, and all of them are
   * asked after this call.
   */
  confirmMaster(address: RedisAddress): Promise<boolean>;
}

export interface TopologyOptions {
  /** Called when the view changed, and with the first one. */
  readonly onChange: (view: TopologyView) => void;
}

/** The name of the master at this address, whichever of its two host names the address has. */
export function masterAt({ masters }: TopologyView, { host, port }: RedisAddress): string | undefined {
  for (const [name, master] of masters) {
    if (master.port === port && (master.host === host || master.otherHost === host)) return name;
  }
  return undefined;
}

/** One master that serves every slot. */
export function singleMasterView(name: string, address: RedisAddress): TopologyView {
  return {
    masters: new Map([[name, address]]),
    owners: new Map(SHARD_SLOTS.map((slot) => [slot, name])),
    moving: new Set(),
  };
}

export function sameView(a: TopologyView, b: TopologyView): boolean {
  return (
    a.masters.size === b.masters.size &&
    a.owners.size === b.owners.size &&
    a.moving.size === b.moving.size &&
    [...a.masters.keys()].every((name) => b.masters.has(name)) &&
    [...a.owners].every(([slot, name]) => b.owners.get(slot) === name) &&
    [...a.moving].every((slot) => b.moving.has(slot))
  );
}
