/** Which replicas a master has, by what it said over time. */
import type { ReplicasWanted } from '@fanfare/protocol';

/** A replica that was not heard of for longer is not in sync, s: as Redis has it for `min-replicas-max-lag`, but sooner. */
const MAX_LAG_S = 2;

/**
 * The replicas of one master that may be promoted. In a planned failover the one that is promoted leaves the list of a
 * master that goes on acknowledging for a second or more. So one that was in sync counts for some time after it
 * is no longer seen: what it does not have is not safe.
 */
export class Replicas {
  readonly #memoryMs: number;
  /** By address: since when it is missed, ms of the clock; `undefined` while it is in sync. */
  readonly #missedSince = new Map<string, number | undefined>();

  /** @param memoryMs how long one that was in sync counts once it is no longer */
  constructor(memoryMs: number) {
    this.#memoryMs = memoryMs;
  }

  /** How many there are. */
  get count(): number {
    return this.#missedSince.size;
  }

  /** How many to wait for: no more than there are, but for one in any case. */
  toWaitFor(wanted: ReplicasWanted): number {
    return Math.max(1, wanted === 'all' ? this.count : Math.min(wanted, this.count));
  }

  /** @param info the section `replication` of the master's INFO */
  note(info: string, now: number): void {
    const seen = new Set<string>();
    for (const [, ip, port, lag] of info.matchAll(/^slave\d+:ip=([^,]*),port=(\d+),state=online,.*\blag=(\d+)/gm)) {
      if (Number(lag) <= MAX_LAG_S) seen.add(`${ip}:${port}`);
    }
    for (const address of seen) this.#missedSince.set(address, undefined);
    for (const [address, since] of this.#missedSince) {
      if (seen.has(address)) continue;
      if (since === undefined) this.#missedSince.set(address, now);
      else if (now - since >= this.#memoryMs) this.#missedSince.delete(address);
    }
  }
}
