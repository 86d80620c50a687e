import type { ReplicasWanted } from '@fanfare/protocol';
import type { Clock } from '../../../clock.js';
import { Fifo } from '../../../fifo.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { channelKeys, slotOfShard } from '../../../redis/keys.js';
import { NotSentError } from '../../../redis/reply-errors.js';
import { CommandWriter, type EncodedArguments } from '../../../redis/resp.js';
import type { RetryHint } from '../../../redis/routes.js';
import type { RedisAddress } from '../../../redis/url.js';
import type { ChannelSpec, PublishOutcome } from '../../broker.js';
import { publishSettings, type ScriptMessage } from '../scripts/scripts.js';
import { outcomeUnknown, unavailable } from './outcomes.js';

/** One message on its way. */
export interface Publish extends ScriptMessage {
  /** What it waits for; `undefined`: for no replica. */
  readonly replicas: ReplicasWanted | undefined;
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

/** Messages of one lane that go together. */
export interface Batch {
  readonly lane: PublishLane;
  readonly publishes: readonly Publish[];
  /** It goes where the slot's owner said, behind ASKING. */
  readonly isAsked: boolean;
  /** It brings the script along. */
  readonly needsScript: boolean;
}

interface LaneRetries {
  readonly clock: Clock;
  /** Waits before a retry. */
  readonly retry: BackoffTimings;
}

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
  #channel: ChannelSpec;
  #settings: EncodedArguments | undefined;
  readonly #queue = new Fifo<Publish>();
  #isBusy = false;
  #retryAt = 0;
  /** Where the next attempt goes, and with what. */
  #hint: RetryHint | undefined;
  /** What was sent failed: until it succeeds it shares a call with no other channel. */
  #goesAlone = false;
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
    return this.#queue.isEmpty;
  }

  /** A batch is on its way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether what goes next waits for a replica. */
  get isReplicated(): boolean {
    return this.#queue.at(0)?.replicas !== undefined;
  }

  /** Not to be sent before this time, ms of the clock. */
  get retryAt(): number {
    return this.#retryAt;
  }

  /** Where the next attempt goes, because the slot's owner said so for this time. */
  get asked(): RedisAddress | undefined {
    return this.#hint?.asked;
  }

  /** Whether what goes next must not share a call with another channel. */
  get goesAlone(): boolean {
    return this.#goesAlone || this.#hint !== undefined;
  }

  add(publish: Publish): void {
    this.#queue.push(publish);
  }

  /** The next messages that can go together: they are on their way from now on, until `succeeded` or `failed`. */
  begin(): Batch {
    const { isReplicated } = this;
    let count = 0;
    let bytes = 0;
    for (; count < MAX_BATCH_MESSAGES; count++) {
      const next = this.#queue.at(count);
      if (!next || (next.replicas !== undefined) !== isReplicated) break;
      bytes += next.body.length;
      if (count > 0 && bytes > MAX_BATCH_BYTES) break;
    }
    const hint = this.#hint;
    this.#hint = undefined;
    this.#isBusy = true;
    return {
      lane: this,
      publishes: this.#queue.take(count),
      isAsked: hint?.asked !== undefined,
      needsScript: hint?.needsScript ?? false,
    };
  }

  succeeded(): void {
    this.#isBusy = false;
    if (this.#failures === 0) return;
    this.#backoff = undefined;
    this.#problem = undefined;
    this.#failures = 0;
    this.#retryAt = 0;
    this.#goesAlone = false;
  }

  /**
   * What was on its way, or would have been, was not stored.
   * @param again these go again, before the others
   */
  failed(again: readonly Publish[], problem: Error, hint: RetryHint, { clock, retry }: LaneRetries): void {
    this.#isBusy = false;
    this.#queue.putBack(again);
    this.#problem = problem;
    this.#goesAlone ||= !(problem instanceof NotSentError);
    this.#hint = hint.asked || hint.needsScript ? hint : undefined;
    this.#backoff ??= new Backoff(retry, clock.random);
    this.#failures++;
    const delayMs = this.#backoff.next();
    const now = clock.now();
    this.#retryAt = hint.isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now : now + delayMs;
  }

  /** Gives up what has waited too long: those in front. */
  expire(now: number): void {
    for (let next = this.#queue.at(0); next && next.giveUpAt <= now; next = this.#queue.at(0)) {
      this.#queue.shift();
      this.#giveUp(next);
    }
  }

  /** Gives up everything. */
  abandon(problem: unknown): void {
    this.#problem = problem;
    this.expire(Number.POSITIVE_INFINITY);
  }

  #giveUp({ settle, mayBeDone }: Publish): void {
    settle(mayBeDone ? outcomeUnknown(this.#problem, true) : unavailable(this.#problem));
  }
}
