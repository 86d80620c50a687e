/** Which replicas a master has, by what it said over time. */
import type { ReplicasWanted } from '@fanfare/protocol';

/**
 * A replica that the master has not heard from for longer than this is not in sync, s. Redis counts the same way for
 * `min-replicas-max-lag`, but allows more.
 */
const MAX_LAG_S = 2;

/**
 * The replicas of one master that may be promoted. In a planned failover, the replica that is promoted leaves the list
 * of the old master, which goes on acknowledging for a second or more. So a replica that was in sync counts for some
 * time after it is no longer listed: a message that it does not have is not safe.
 */
export class Replicas {
  readonly #memoryMs: number;
  /** For each replica, by address: since when it has been missing, ms of the clock; `undefined` while it is in sync. */
  readonly #missedSince = new Map<string, number | undefined>();

  /** @param memoryMs how long a replica that is no longer in sync still counts */
  constructor(memoryMs: number) {
    this.#memoryMs = memoryMs;
  }

  /** How many replicas may be promoted. */
  get count(): number {
    return this.#missedSince.size;
  }

  /** How many replicas to wait for: no more than there are, but at least one. */
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
