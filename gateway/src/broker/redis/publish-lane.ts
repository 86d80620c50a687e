import type { Clock } from '../../clock.js';
import type { ChannelSpec, PublishOutcome } from '../broker.js';
import { Backoff, type BackoffTimings } from './backoff.js';
import { shardOf, slotOfShard } from './keys.js';
import { outcomeUnknown, unavailable } from './publish-faults.js';
import type { RedisAddress } from './redis-url.js';
import type { ScriptMessage } from './scripts.js';

/** One message on its way. */
export interface Publish extends ScriptMessage {
  readonly isReplicated: boolean;
  /** When it is given up, ms since the Unix epoch. */
  readonly giveUpAt: number;
  readonly settle: (outcome: PublishOutcome) => void;
  /** An attempt was cut off: the log may hold it. */
  mayBeDone: boolean;
}

/** Most messages and about most bytes of one command; a single larger message goes alone. */
const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Retries in a row that may go at once: servers that send us back and forth are not asked faster. */
const MAX_HURRIED_RETRIES = 4;

/**
 * The messages of one channel that wait, in order. One batch at a time is on its way: what waits
 * meanwhile goes together in the next one, and a retry overtakes nothing.
 */
export class PublishLane {
  /** With the settings of the last publish. */
  channel: ChannelSpec;
  readonly slot: number;
  isBusy = false;
  /** Not before this time, ms since the Unix epoch. */
  retryAt = 0;
  /** Where the next attempt goes, because the slot's owner said so for this time. */
  asked: RedisAddress | undefined;
  /** The next attempt brings the script along. */
  needsScript = false;
  #queue: Publish[] = [];
  #backoff: Backoff | undefined;
  #failures = 0;
  #problem: unknown;

  constructor(channel: ChannelSpec) {
    this.channel = channel;
    this.slot = slotOfShard(shardOf(channel.name));
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Whether what goes next waits for a replica. */
  get isReplicated(): boolean {
    return this.#queue[0]?.isReplicated ?? false;
  }

  add(publish: Publish): void {
    this.#queue.push(publish);
  }

  /** The next messages that can go together; they are no longer in the lane. */
  take(): Publish[] {
    const first = this.#queue[0] as Publish;
    let count = 0;
    let bytes = 0;
    for (const { body, isReplicated } of this.#queue) {
      bytes += body.length;
      if (count === MAX_BATCH_MESSAGES || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
      if (isReplicated !== first.isReplicated) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** After a failure: these go again, before the others. `isSoon`: the reason for it is gone already. */
  retry(publishes: readonly Publish[], clock: Clock, timings: BackoffTimings, problem: unknown, isSoon: boolean): void {
    this.#queue = [...publishes, ...this.#queue];
    this.#problem = problem;
    this.#backoff ??= new Backoff(timings, clock.random);
    this.#failures++;
    const delayMs = this.#backoff.next();
    const now = clock.now();
    this.retryAt = isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now : now + delayMs;
  }

  succeeded(): void {
    this.#backoff = undefined;
    this.#problem = undefined;
    this.#failures = 0;
    this.retryAt = 0;
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    if (this.#queue.every(({ giveUpAt }) => giveUpAt > now)) return;
    const expired = this.#queue.filter(({ giveUpAt }) => giveUpAt <= now);
    this.#queue = this.#queue.filter(({ giveUpAt }) => giveUpAt > now);
    for (const publish of expired) this.#giveUp(publish);
  }

  /** Gives up everything. */
  abandon(problem: unknown): void {
    this.#problem = problem;
    for (const publish of this.#queue.splice(0)) this.#giveUp(publish);
  }

  #giveUp({ settle, mayBeDone }: Publish): void {
    settle(mayBeDone ? outcomeUnknown(this.#problem, true) : unavailable(this.#problem));
  }
}
