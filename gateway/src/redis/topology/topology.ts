import { SHARD_COUNT, slotOfShard } from '../keys.js';
import type { RedisAddress } from '../url.js';

/** The slots in which virtual shards live; the others do not concern us. */
export const SHARD_SLOTS: readonly number[] = [
  ...new Set(Array.from({ length: SHARD_COUNT }, (_, shard) => slotOfShard(shard))),
].sort((a, b) => a - b);

export interface MasterAddress extends RedisAddress {
  /** In a Cluster that announces hostnames, the IP or hostname that `host` is not: redirections may tell either. */
  readonly otherHost?: string;
}

/** Who serves what, as far as it can be known from outside. Masters are named `host:port`. */
export interface TopologyView {
  readonly masters: ReadonlyMap<string, MasterAddress>;
  /** Slot to the name of its master, for `SHARD_SLOTS`; a slot that nobody serves is absent. */
  readonly owners: ReadonlyMap<number, string>;
  /** Slots that are being handed from one master to another. */
  readonly moving: ReadonlySet<number>;
}

/** Where the masters are, now and after they changed. It finds out; it does not connect to serve. */
export interface Topology {
  /** `undefined` until somebody answered. */
  readonly view: TopologyView | undefined;
  /** Why there is no view. */
  readonly problem: string | undefined;
  start(): void;
  close(): void;
  /** Asks everybody anew; resolves once who can be asked has answered. */
  refresh(): Promise<void>;
  /**
   * Whether this master serves the slot, by answers that were all asked for after this call and
   * came from a majority of those who know.
   */
  confirm(slot: number, master: string): Promise<boolean>;
  /** The same for whether there is a master at this address. */
  confirmMaster(address: RedisAddress): Promise<boolean>;
}

export interface TopologyOptions {
  /** Called when the view changed, and with the first one. */
  readonly onChange: (view: TopologyView) => void;
}

/** The name of the master at this address, however its host is called there. */
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
