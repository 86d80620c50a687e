import type { Clock } from '../../../clock.js';
import { FanfareError } from '../../../errors.js';
import type { BackoffTimings } from '../../../redis/backoff.js';
import type { CommandLink } from '../../../redis/command-link.js';
import type { RedisLog } from '../../../redis/log.js';
import { PendingBytes } from '../../../redis/pending-bytes.js';
import { faultKind, isCrossSlot, NotSentError } from '../../../redis/reply-errors.js';
import type { Command } from '../../../redis/resp.js';
import type { RetryHint, Routes } from '../../../redis/routes.js';
import type { Topology } from '../../../redis/topology/topology.js';
import type { ChannelSpec, PublishOptions, PublishOutcome, ReplicasReached } from '../../broker.js';
import type { NewMessage } from '../../record.js';
import { encodeBody } from '../../record-codec.js';
import { Call } from './call.js';
import { readStored, settleStored } from './commands.js';
import { type Job, takeJobs } from './jobs.js';
import { type Batch, type Publish, PublishLane } from './lane.js';
import { LaneSchedule } from './lane-schedule.js';
import { outcomeUnknown, unavailable } from './outcomes.js';
import { ReplicaRounds } from './replica-rounds.js';

/** Timings of the publishing side, all in ms. */
export interface PublisherTimings {
  /** How long a publish is retried. Default 15,000. */
  readonly giveUpMs: number;
  /** How long a replicated publish waits for its replicas. Default 1000. */
  readonly replicaMs: number;
  /** How long a replica that is no longer in sync still counts as one that may be promoted. Default 10,000. */
  readonly replicaMemoryMs: number;
  /** How long to wait before each retry: a random time below a ceiling that doubles. Default 20 up to 500. */
  readonly backoff: BackoffTimings;
}

const PUBLISHER_TIMINGS: PublisherTimings = {
  giveUpMs: 15_000,
  replicaMs: 1_000,
  replicaMemoryMs: 10_000,
  backoff: { minMs: 20, maxMs: 500 },
};

interface PublisherOptions {
  readonly clock: Clock;
  readonly topology: Pick<Topology, 'view'>;
  readonly routes: Routes;
  /** The database of Redis that is published to. Default 0. */
  readonly db?: number | undefined;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** A script call may name keys of one slot only. */
  readonly isCluster: boolean;
  readonly log?: RedisLog | undefined;
  /**
   * Most bytes of messages that may wait for one master or be on their way to it. A message beyond that is
   * `unavailable`. Default 64 MiB.
   */
  readonly maxPendingBytes?: number;
  readonly timings?: Partial<PublisherTimings>;
}

const DEFAULT_MAX_PENDING_BYTES = 64 * 1024 * 1024;
/**
 * Most lanes that are kept while nothing waits in them: the names and arguments of a lane need not be made anew then.
 */
const MAX_LANES = 10_000;

/**
 * The publishing half of the Redis engine. Everything that is published in one turn of the event loop leaves in one
 * write for each master, and in one command as far as slots allow. A publish that was refused is retried until
 * `giveUpMs`. A publish whose reply was cut off is retried only if its key makes that safe.
 */
export class RedisPublisher {
  readonly #clock: Clock;
  readonly #options: PublisherOptions;
  readonly #timings: PublisherTimings;
  readonly #pending: PendingBytes;
  readonly #routes: Routes;
  readonly #lanes = new Map<string, PublishLane>();
  readonly #schedule: LaneSchedule;
  readonly #rounds: ReplicaRounds;
  /** Whether a script call may name keys of one slot only. */
  #isBySlot: boolean;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#isBySlot = options.isCluster;
    this.#timings = { ...PUBLISHER_TIMINGS, ...options.timings };
    this.#pending = new PendingBytes(options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES);
    this.#routes = options.routes;
    this.#schedule = new LaneSchedule(options.clock, (lanes) => this.#flush(lanes));
    this.#rounds = new ReplicaRounds(options.clock, this.#timings);
  }

  /**
   * Publishes messages to a channel, as `Broker.publish` describes. Not to be called after `close`. Never rejects:
   * every message has its outcome.
   */
  publish(
    channel: ChannelSpec,
    messages: readonly NewMessage[],
    { replicas }: PublishOptions = {},
  ): Promise<PublishOutcome[]> {
    if (messages.length === 0) return Promise.resolve([]);
    const wanted = channel.durable ? replicas : undefined;
    const giveUpAt = this.#clock.now() + this.#timings.giveUpMs;
    const lane = this.#laneOf(channel);
    return new Promise((resolve) => {
      const call = new Call(messages.length, resolve);
      for (let i = 0; i < messages.length; i++) {
        this.#add(lane, messages[i] as NewMessage, wanted, giveUpAt, call, i);
      }
      this.#schedule.add(lane);
    });
  }

  /**
   * To be called when a link came up or another server became master: everything that waits for a retry is tried at
   * once.
   */
  wake(): void {
    this.#schedule.wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#schedule.close();
    for (const lane of this.#lanes.values()) lane.abandon(new Error('the broker is closed'));
  }

  #laneOf(channel: ChannelSpec): PublishLane {
    let lane = this.#lanes.get(channel.name);
    if (!lane) {
      if (this.#lanes.size >= MAX_LANES) this.#dropIdleLanes();
      lane = new PublishLane(channel, this.#options.db);
      this.#lanes.set(channel.name, lane);
    }
    lane.channel = channel;
    return lane;
  }

  #dropIdleLanes(): void {
    for (const [name, lane] of this.#lanes) if (lane.isEmpty && !lane.isBusy) this.#lanes.delete(name);
  }

  #add(
    lane: PublishLane,
    message: NewMessage,
    replicas: PublishOptions['replicas'],
    giveUpAt: number,
    call: Call,
    index: number,
  ): void {
    let body: Buffer;
    try {
      body = encodeBody(message);
    } catch (error) {
      call.settle(index, error as FanfareError);
      return;
    }
    const master = this.#options.topology.view?.owners.get(lane.slot) ?? '';
    const giveBack = this.#pending.take(master, body.length);
    if (!giveBack) {
      call.settle(index, unavailable(new Error('too many publishes wait already')));
      return;
    }
    const settle = (outcome: PublishOutcome) => {
      giveBack();
      call.settle(index, outcome);
    };
    lane.add({ body, key: message.key, replicas, giveUpAt, settle, mayBeDone: false });
  }

  #flush(lanes: ReadonlySet<PublishLane>): void {
    const writes = new Map<CommandLink, PublishLane[]>();
    for (const lane of lanes) {
      const { isReplicated, asked } = lane;
      const link = asked ? this.#routes.linkAt(asked, isReplicated) : this.#routes.linkTo(lane.slot, isReplicated);
      if (!link) {
        this.#routes.refresh();
        this.#retry(lane, [], new NotSentError('nobody serves its slot'), { isSoon: false });
      } else if (isReplicated && link.isBusy) {
        this.#schedule.park(lane);
      } else {
        const together = writes.get(link);
        if (together) together.push(lane);
        else writes.set(link, [lane]);
      }
    }
    const isCluster = this.#isBySlot;
    const { idempotencyMs } = this.#options;
    const timeMs = this.#clock.wall();
    for (const [link, together] of writes) this.#send(link, takeJobs(together, { isCluster, idempotencyMs, timeMs }));
  }

  #send(link: CommandLink, jobs: readonly Job[]): void {
    const commands: Command[] = [];
    for (const job of jobs) for (const one of job.commands) commands.push(one);
    const round = this.#rounds.begin(link, jobs);
    if (round) commands.push(...round.commands);
    const replies = link.send(commands);
    const acknowledged = round?.reached(replies);
    let at = 0;
    for (const job of jobs) {
      const own = replies.slice(at, at + job.commands.length);
      at += job.commands.length;
      if (job.ends) void this.#concludeLive(link, job.batches[0] as Batch, own, job.ends);
      else void this.#concludeStored(link, job.batches, own.at(-1) as Promise<unknown>, acknowledged);
    }
    void acknowledged?.then(() => this.#schedule.unpark());
  }

  /** @param acknowledged what replicas have of everything that the link was sent so far, if that was asked for */
  async #concludeStored(
    link: CommandLink,
    batches: readonly Batch[],
    reply: Promise<unknown>,
    acknowledged: Promise<ReplicasReached> | undefined,
  ): Promise<void> {
    const answers = readStored(await reply, batches);
    for (const [i, batch] of batches.entries()) {
      const { lane, publishes } = batch;
      const appended = answers[i] as (typeof answers)[number];
      if (appended instanceof Error) {
        this.#failed(link, batch, publishes, () => appended);
        continue;
      }
      if (acknowledged) void acknowledged.then((reached) => settleStored(publishes, appended, reached));
      else settleStored(publishes, appended, undefined);
      lane.succeeded();
      this.#schedule.add(lane);
    }
  }

  /** @param ends for each publish, the index of the reply that answers it */
  async #concludeLive(
    link: CommandLink,
    batch: Batch,
    replies: readonly Promise<unknown>[],
    ends: readonly number[],
  ): Promise<void> {
    const { lane, publishes } = batch;
    const all = await Promise.all(replies);
    const answers = ends.map((end) => all[end]);
    const failed: Publish[] = [];
    const errors: Error[] = [];
    for (const [i, publish] of publishes.entries()) {
      const answer = answers[i];
      if (answer instanceof Error) {
        failed.push(publish);
        errors.push(answer);
      } else {
        publish.settle(publish.key !== undefined && answer === 0 ? { duplicate: true } : {});
      }
    }
    if (failed.length > 0) {
      this.#failed(link, batch, failed, (i) => errors[i] as Error);
      return;
    }
    lane.succeeded();
    this.#schedule.add(lane);
  }

  /** Settles messages that must not or need not be tried again, and retries the others. */
  #failed(
    link: CommandLink,
    { lane, isAsked }: Batch,
    publishes: readonly Publish[],
    errorOf: (i: number) => Error,
  ): void {
    const again: Publish[] = [];
    for (const [i, publish] of publishes.entries()) {
      const error = errorOf(i);
      const kind = faultKind(error);
      if (kind === 'broken') {
        publish.settle(new FanfareError('internal', 'the message could not be published', { cause: error }));
      } else if (kind === 'unknown' && publish.key === undefined) {
        publish.settle(outcomeUnknown(error, false));
      } else {
        publish.mayBeDone ||= kind === 'unknown';
        again.push(publish);
      }
    }
    const error = errorOf(0);
    if (isCrossSlot(error)) this.#goBySlot();
    this.#retry(lane, again, error, this.#routes.learn(lane.slot, link, error, isAsked));
  }

  /** From now on a script call names keys of one slot only: what looks like one server shards inside. */
  #goBySlot(): void {
    if (this.#isBySlot) return;
    this.#isBySlot = true;
    this.#options.log?.warn({}, 'redis refuses commands for several slots; publishing goes slot by slot from now on');
  }

  #retry(lane: PublishLane, again: readonly Publish[], problem: Error, hint: RetryHint): void {
    lane.failed(again, problem, hint, { clock: this.#clock, backoff: this.#timings.backoff });
    if (this.#isClosed) lane.abandon(problem);
    this.#schedule.addLater(lane);
  }
}
