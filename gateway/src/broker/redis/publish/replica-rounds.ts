import type { ReplicasWanted } from '@fanfare/protocol';
import type { Clock } from '../../../clock.js';
import type { CommandLink } from '../../../redis/command-link.js';
import type { Command } from '../../../redis/resp.js';
import { mostWanted, type ReplicasReached } from '../../broker.js';
import { REPLICATION_INFO, waitCommand } from './commands.js';
import type { Job } from './jobs.js';
import { Replicas } from './replicas.js';

interface ReplicaTimings {
  /** How long a replicated publish waits for its replicas. */
  readonly replicaMs: number;
  /** How long a replica that is no longer in sync still counts as one that may be promoted. */
  readonly replicaMemoryMs: number;
}

/** The commands that are sent behind replicated jobs, and what their replies mean. */
interface ReplicaRound {
  readonly commands: readonly Command[];
  /**
   * What replicas have, by the replies. Never rejects. @param replies all replies of the write; the last ones are those
   * to `commands`
   */
  reached(replies: readonly Promise<unknown>[]): Promise<ReplicasReached>;
}

/** Waits for the replicas of each master that is published to. */
export class ReplicaRounds {
  readonly #clock: Clock;
  readonly #timings: ReplicaTimings;
  /** The replicas of the master behind each link, as it was asked last. */
  readonly #replicas = new WeakMap<CommandLink, Replicas>();

  /** @param timings times in ms */
  constructor(clock: Clock, timings: ReplicaTimings) {
    this.#clock = clock;
    this.#timings = timings;
  }

  /**
   * Begins a round for jobs that leave together. Either all of them wait for replicas or none does; `undefined` then.
   */
  begin(link: CommandLink, jobs: readonly Job[]): ReplicaRound | undefined {
    if (jobs[0]?.batches[0]?.publishes[0]?.replicas === undefined) return undefined;
    const wanted = wantedBy(jobs);
    if (wanted === undefined) return undefined;
    const asked = this.#replicasOf(link).toWaitFor(wanted);
    return {
      commands: [REPLICATION_INFO, waitCommand(asked, this.#timings.replicaMs)],
      reached: (replies) => this.#reached(link, wanted, asked, replies),
    };
  }

  /**
   * Waits until enough replicas have acknowledged, or time is over. An error in place of the count (the master was
   * demoted, or the connection was cut) acknowledges nothing.
   */
  async #reached(
    link: CommandLink,
    wanted: ReplicasWanted,
    asked: number,
    replies: readonly Promise<unknown>[],
  ): Promise<ReplicasReached> {
    const replicas = this.#replicasOf(link);
    const deadline = this.#clock.now() + this.#timings.replicaMs;
    const [info, first] = await Promise.all(replies.slice(-2));
    const now = this.#clock.now();
    if (Buffer.isBuffer(info)) replicas.note(info.toString('latin1'), now);
    const needed = replicas.toWaitFor(wanted);
    // WAIT was asked for fewer replicas than there are by now.
    const isShort = typeof first === 'number' && first < needed && asked < needed && now < deadline;
    const [again] = isShort ? link.send([waitCommand(needed, Math.ceil(deadline - now))]) : [];
    const last = again ? await again : first;
    const count = typeof last === 'number' ? last : 0;
    return { replicas: count, of: Math.max(count, replicas.count) };
  }

  #replicasOf(link: CommandLink): Replicas {
    let replicas = this.#replicas.get(link);
    if (!replicas) {
      replicas = new Replicas(this.#timings.replicaMemoryMs);
      this.#replicas.set(link, replicas);
    }
    return replicas;
  }
}

function wantedBy(jobs: readonly Job[]): ReplicasWanted | undefined {
  return mostWanted(
    jobs.flatMap(({ batches }) => batches.flatMap(({ publishes }) => publishes.map((one) => one.replicas))),
  );
}
