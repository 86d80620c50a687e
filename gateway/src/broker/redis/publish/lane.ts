import type { Clock } from '../../../clock.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { channelKeys, slotOfShard } from '../../../redis/keys.js';
import { CommandWriter, type EncodedArguments } from '../../../redis/resp.js';
import type { RedisAddress } from '../../../redis/url.js';
import type { ChannelSpec, PublishOutcome } from '../../broker.js';
import { publishSettings, type ScriptMessage } from '../scripts/scripts.js';
import { outcomeUnknown, unavailable } from './outcomes.js';

/** One message on its way. */
export interface Publish extends ScriptMessage {
  readonly isReplicated: boolean;
  /** When it is given up, ms of the clock; never before that of one published earlier. */
  readonly giveUpAt: number;
  /** Called once. */
  readonly settle: (outcome: PublishOutcome) => void;
  /** An attempt was cut off: the log may hold it. */
  mayBeDone: boolean;
}

/** Most messages and about most bytes of one command; a single larger message goes alone. */
const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Retries in a row that may go at once: servers that send us back and forth are not asked faster. */
const MAX_HURRIED_RETRIES = 4;
/** What has left the queue is cut off in pieces of this many. */
const CUT = 1024;

/**
 * The messages of one channel that wait, in order. One batch at a time is on its way: what waits
 * meanwhile goes together in the next one, and a retry overtakes nothing.
 */
export class PublishLane {
  readonly slot: number;
  /** The publisher's idempotency key follows. */
  readonly idempotency: string;
  readonly push: string;
  /** Log and meta, as arguments of the publish script. */
  readonly keys: EncodedArguments;
  isBusy = false;
  /** Not before this time, ms of the clock. */
  retryAt = 0;
  /** Where the next attempt goes, because the slot's owner said so for this time. */
  asked: RedisAddress | undefined;
  /** The next attempt brings the script along. */
  needsScript = false;
  /** What was sent for it failed: until it succeeds it shares a call with no other channel. */
  goesAlone = false;
  #channel: ChannelSpec;
  #settings: EncodedArguments | undefined;
  #queue: (Publish | undefined)[] = [];
  /** Index of the first one in the queue that still waits. */
  #first = 0;
  #backoff: Backoff | undefined;
  #failures = 0;
  #problem: unknown;

  /** @param db the database in which it is published to */
  constructor(channel: ChannelSpec, db = 0) {
    const { shard, log, meta, push, idempotency } = channelKeys(channel.name, db);
    this.#channel = channel;
    this.slot = slotOfShard(shard);
    this.idempotency = idempotency;
    this.push = push;
    this.keys = new CommandWriter().add(log).add(meta).encoded();
  }

  /** With the settings of the last publish. */
  get channel(): ChannelSpec {
    return this.#channel;
  }

  set channel(channel: ChannelSpec) {
    const { historySize, historyTtlMs } = this.#channel;
    if (channel.historySize !== historySize || channel.historyTtlMs !== historyTtlMs) this.#settings = undefined;
    this.#channel = channel;
  }

  /** As arguments of the publish script. */
  get settings(): EncodedArguments {
    if (!this.#settings) {
      const writer = new CommandWriter();
      for (const argument of publishSettings(this.push, this.#channel)) writer.add(argument);
      this.#settings = writer.encoded();
    }
    return this.#settings;
  }

  get isEmpty(): boolean {
    return this.#first === this.#queue.length;
  }

  /** Whether what goes next waits for a replica. */
  get isReplicated(): boolean {
    return this.#queue[this.#first]?.isReplicated ?? false;
  }

  add(publish: Publish): void {
    this.#queue.push(publish);
  }

  /** The next messages that can go together; they are no longer in the lane. */
  take(): Publish[] {
    const begin = this.#first;
    const first = this.#queue[begin] as Publish;
    let end = begin;
    let bytes = 0;
    for (; end < this.#queue.length; end++) {
      const { body, isReplicated } = this.#queue[end] as Publish;
      bytes += body.length;
      if (end - begin === MAX_BATCH_MESSAGES || (end > begin && bytes > MAX_BATCH_BYTES)) break;
      if (isReplicated !== first.isReplicated) break;
    }
    const batch = this.#queue.slice(begin, end) as Publish[];
    this.#skipTo(end);
    return batch;
  }

  /** After a failure: these go again, before the others. `isSoon`: the reason for it is gone already. */
  retry(publishes: readonly Publish[], clock: Clock, timings: BackoffTimings, problem: unknown, isSoon: boolean): void {
    if (publishes.length <= this.#first) {
      this.#first -= publishes.length;
      for (const [i, publish] of publishes.entries()) this.#queue[this.#first + i] = publish;
    } else {
      this.#queue = [...publishes, ...this.#queue.slice(this.#first)];
      this.#first = 0;
    }
    this.#problem = problem;
    this.#backoff ??= new Backoff(timings, clock.random);
    this.#failures++;
    const delayMs = this.#backoff.next();
    const now = clock.now();
    this.retryAt = isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now : now + delayMs;
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#backoff = undefined;
    this.#problem = undefined;
    this.#failures = 0;
    this.retryAt = 0;
    this.goesAlone = false;
  }

  /** Gives up what has waited too long: those in front. */
  expire(now: number): void {
    let at = this.#first;
    while (at < this.#queue.length && (this.#queue[at] as Publish).giveUpAt <= now) {
      this.#giveUp(this.#queue[at++] as Publish);
    }
    this.#skipTo(at);
  }

  /** Gives up everything. */
  abandon(problem: unknown): void {
    this.#problem = problem;
    this.expire(Number.POSITIVE_INFINITY);
  }

  #skipTo(first: number): void {
    this.#queue.fill(undefined, this.#first, first);
    this.#first = first;
    if (first === this.#queue.length) {
      this.#queue = [];
      this.#first = 0;
    } else if (first >= CUT) {
      this.#queue = this.#queue.slice(first);
      this.#first = 0;
    }
  }

  #giveUp({ settle, mayBeDone }: Publish): void {
    settle(mayBeDone ? outcomeUnknown(this.#problem, true) : unavailable(this.#problem));
  }
}
