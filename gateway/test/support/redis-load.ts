import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelSpec } from '../../src/broker/broker.js';
import type { LogPosition, LogRecord } from '../../src/broker/record.js';
import { isBefore, samePosition } from '../../src/broker/resume.js';
import { durableChannel } from './broker-kit.js';
import { LogFollower, type LogSource } from './log-follower.js';
import type { RedisNode } from './redis-servers.js';
import { ScriptPublisher } from './script-publisher.js';

/** What became of every acknowledged publish. */
export interface Ledger {
  readonly acknowledged: number;
  /** Acknowledged, and not in the log at the end: what the failover lost. */
  readonly lostByLog: number;
  /** In the log, and never seen by a follower that was told of no reset. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly resets: Readonly<Record<string, number>>;
  /** Seen although the log does not hold it, by a follower that was not told `diverged`. */
  readonly phantoms: number;
}

/** Publishes steadily over some channels, each with a follower, and keeps the books. */
export class RedisLoad {
  readonly followers: LogFollower[];
  readonly #source: LogSource;
  readonly #publisher: ScriptPublisher;
  readonly #intervalMs: number;
  readonly #acknowledged = new Map<LogFollower, LogPosition[]>();
  readonly #acknowledgedAt: number[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(
    source: LogSource,
    nodes: readonly RedisNode[],
    { channels = 20, intervalMs = 50, name = 'load:' }: { channels?: number; intervalMs?: number; name?: string } = {},
  ) {
    this.#source = source;
    this.#publisher = new ScriptPublisher(nodes);
    this.#intervalMs = intervalMs;
    this.followers = Array.from({ length: channels }, () => new LogFollower(source, durableChannel({ name })));
  }

  /** When publishes were acknowledged, ms. */
  get acknowledgedAt(): readonly number[] {
    return this.#acknowledgedAt;
  }

  async start(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.start()));
    this.#running = Promise.all(this.followers.map((follower) => this.#publish(follower)));
  }

  /** Ends publishing, lets everybody catch up and closes the books. */
  async stop(): Promise<Ledger> {
    this.#isStopping = true;
    await this.#running;
    const logs = await Promise.all(this.followers.map((follower) => this.#caughtUp(follower)));
    const ledger = this.#ledger(logs);
    await Promise.all(this.followers.map((follower) => follower.stop()));
    return ledger;
  }

  /** Waits until every follower saw something that was acknowledged after now. Returns how long it took, ms. */
  async live(timeoutMs = 60_000): Promise<number> {
    const since = Date.now();
    const isLive = (follower: LogFollower) =>
      (follower.seenAt.at(-1) ?? 0) > since && follower.calls.at(-1) !== 'interrupted';
    while (!this.followers.every(isLive)) {
      if (Date.now() - since > timeoutMs) throw new Error(`not live again within ${timeoutMs} ms`);
      await delay(10);
    }
    return Date.now() - since;
  }

  /** Where each follower stands, for the message of a wait that failed. */
  state(): string {
    const lines = this.followers.map((follower) => {
      const { channel, cursor, calls, seen } = follower;
      const acknowledged = this.#acknowledged.get(follower)?.length ?? 0;
      const at = cursor ? nameOf(cursor) : 'nowhere';
      return `${channel.name}: acknowledged ${acknowledged}, seen ${seen.length}, at ${at}, told ${calls.join(' ')}`;
    });
    return lines.join('\n');
  }

  async #publish(follower: LogFollower): Promise<void> {
    const acknowledged: LogPosition[] = [];
    this.#acknowledged.set(follower, acknowledged);
    for (let n = 1; !this.#isStopping; n++) {
      acknowledged.push(await this.#publisher.publish(follower.channel, n, `key-${n}`));
      this.#acknowledgedAt.push(Date.now());
      await delay(this.#intervalMs * (0.5 + Math.random()));
    }
  }

  async #caughtUp(follower: LogFollower): Promise<LogRecord[]> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { entries, head } = await this.#log(follower.channel);
      if (follower.cursor && samePosition(follower.cursor, head)) return entries;
      if (Date.now() > deadline) return entries;
      await delay(50);
    }
  }

  async #log(channel: ChannelSpec): Promise<{ entries: LogRecord[]; head: LogPosition }> {
    const entries: LogRecord[] = [];
    for (let after: LogPosition = { epoch: 0, offset: 0 }; ; after = entries.at(-1) as LogPosition) {
      const page = await this.#source.read(channel, { after, limit: 1000 });
      entries.push(...page.entries);
      if (!page.more) return { entries, head: page.head };
    }
  }

  #ledger(logs: readonly LogRecord[][]): Ledger {
    const ledger = { acknowledged: 0, lostByLog: 0, lost: 0, duplicated: 0, reordered: 0, phantoms: 0 };
    const resets: Record<string, number> = {};
    for (const [i, follower] of this.followers.entries()) {
      const log = new Set(logs[i]?.map(nameOf));
      const seen = follower.seen.map(nameOf);
      const acknowledged = this.#acknowledged.get(follower) ?? [];
      ledger.acknowledged += acknowledged.length;
      ledger.lostByLog += acknowledged.filter((position) => !log.has(nameOf(position))).length;
      ledger.duplicated += seen.length - new Set(seen).size;
      ledger.reordered += follower.seen.filter(
        (record, at) => at > 0 && !isBefore(follower.seen[at - 1] as LogRecord, record),
      ).length;
      for (const { reason } of follower.resets) resets[reason] = (resets[reason] ?? 0) + 1;
      const isTold = follower.resets.length > 0;
      if (!isTold) ledger.phantoms += seen.filter((name) => !log.has(name)).length;
      if (!follower.resets.some(({ reason }) => reason !== 'diverged')) {
        const known = new Set(seen);
        ledger.lost += [...log].filter((name) => !known.has(name)).length;
      }
    }
    return { ...ledger, resets };
  }
}

/** Nothing was lost, doubled or swapped, and nobody was told a reset. */
export const CLEAN = { lostByLog: 0, lost: 0, duplicated: 0, reordered: 0, phantoms: 0, resets: {} };

function nameOf({ epoch, offset }: LogPosition): string {
  return `${epoch}-${offset}`;
}
