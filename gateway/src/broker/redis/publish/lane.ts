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

/** One message that waits to be published, or is on its way. */
export interface Publish extends ScriptMessage {
  /** The replicas that the message waits for; `undefined`: for none. */
  readonly replicas: ReplicasWanted | undefined;
  /** When the message is given up, ms of the clock. It is never earlier than that of a message published before. */
  readonly giveUpAt: number;
  /** Takes the outcome of the message; called once. */
  readonly settle: (outcome: PublishOutcome) => void;
  /** Whether the log may hold the message already: the reply to an attempt was cut off. */
  mayBeDone: boolean;
}

/** Most messages and about most bytes of one command; a single larger message goes alone. */
const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 1024 * 1024;
/**
 * How many retries in a row may be made at once. Servers that redirect us back and forth are not asked faster than
 * that.
 */
const MAX_HURRIED_RETRIES = 4;

/** Messages of one lane that leave together. */
export interface Batch {
  readonly lane: PublishLane;
  readonly publishes: readonly Publish[];
  /** Whether the batch goes where the owner of the slot said, behind ASKING. */
  readonly isAsked: boolean;
  /** Whether the batch has to send the text of the script. */
  readonly needsScript: boolean;
}

interface LaneRetries {
  readonly clock: Clock;
  /** How long to wait before each retry. */
  readonly backoff: BackoffTimings;
}

/**
 * The messages of one channel that wait to be published, in order. One batch at a time is on its way. Messages that
 * come meanwhile leave together in the next batch, so a retry overtakes nothing.
 */
export class PublishLane {
  readonly slot: number;
  /** Beginning of the Redis keys for idempotency; the key that the publisher gave follows. */
  readonly idempotency: string;
  readonly push: string;
  /** The Redis keys of log and meta, as arguments of the publish script. */
  readonly keys: EncodedArguments;
  #channel: ChannelSpec;
  #settings: EncodedArguments | undefined;
  readonly #queue = new Fifo<Publish>();
  #isBusy = false;
  #retryAt = 0;
  /** How the next attempt is made, if an error of the last one said so. */
  #hint: RetryHint | undefined;
  /** Whether the last batch failed: until one succeeds, batches of this lane share a call with no other channel. */
  #goesAlone = false;
  #backoff: Backoff | undefined;
  #failures = 0;
  #problem: unknown;

  /** @param db the database of Redis to which the channel belongs */
  constructor(channel: ChannelSpec, db = 0) {
    const { shard, log, meta, push, idempotency } = channelKeys(channel.name, db);
    this.#channel = channel;
    this.slot = slotOfShard(shard);
    this.idempotency = idempotency;
    this.push = push;
    this.keys = new CommandWriter().add(log).add(meta).encoded();
  }

  /** The channel, with the settings of the last publish. */
  get channel(): ChannelSpec {
    return this.#channel;
  }

  set channel(channel: ChannelSpec) {
    const { historySize, historyTtlMs } = this.#channel;
    if (channel.historySize !== historySize || channel.historyTtlMs !== historyTtlMs) this.#settings = undefined;
    this.#channel = channel;
  }

  /** The settings of the channel, as arguments of the publish script. */
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

  /** Whether a batch is on its way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether the next batch waits for replicas. */
  get isReplicated(): boolean {
    return this.#queue.at(0)?.replicas !== undefined;
  }

  /** The time before which the next batch must not be sent, ms of the clock. */
  get retryAt(): number {
    return this.#retryAt;
  }

  /** The server to which the next attempt goes, because the owner of the slot said so (ASK). */
  get asked(): RedisAddress | undefined {
    return this.#hint?.asked;
  }

  /** Whether the next batch must not share a call with another channel. */
  get goesAlone(): boolean {
    return this.#goesAlone || this.#hint !== undefined;
  }

  add(publish: Publish): void {
    this.#queue.push(publish);
  }

  /**
   * Takes the next messages that can leave together. They are on their way from now on, until `succeeded` or `failed`
   * is called.
   */
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
   * Notes that the batch on its way, or the next one, was not stored.
   * @param again the messages that are to be tried again; they go before all others
   */
  failed(again: readonly Publish[], problem: Error, hint: RetryHint, { clock, backoff }: LaneRetries): void {
    this.#isBusy = false;
    this.#queue.putBack(again);
    this.#problem = problem;
    this.#goesAlone ||= !(problem instanceof NotSentError);
    this.#hint = hint.asked || hint.needsScript ? hint : undefined;
    this.#backoff ??= new Backoff(backoff, clock.random);
    this.#failures++;
    const delayMs = this.#backoff.next();
    const now = clock.now();
    this.#retryAt = hint.isSoon && this.#failures <= MAX_HURRIED_RETRIES ? now : now + delayMs;
  }

  /** Gives up messages that have waited too long, which are those in front. */
  expire(now: number): void {
    for (let next = this.#queue.at(0); next && next.giveUpAt <= now; next = this.#queue.at(0)) {
      this.#queue.shift();
      this.#giveUp(next);
    }
  }

  /** Gives up all messages. */
  abandon(problem: unknown): void {
    this.#problem = problem;
    this.expire(Number.POSITIVE_INFINITY);
  }

  #giveUp({ settle, mayBeDone }: Publish): void {
    settle(mayBeDone ? outcomeUnknown(this.#problem, true) : unavailable(this.#problem));
  }
}
