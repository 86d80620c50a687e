import type { RedisOptions } from 'ioredis';
import type { Cancel, Clock } from '../../clock.js';
import { FanfareError } from '../../errors.js';
import type { ChannelSpec, PublishOptions, PublishOutcome } from '../broker.js';
import type { NewMessage } from '../record.js';
import { encodeBody } from '../record-codec.js';
import type { BackoffTimings } from './backoff.js';
import { pushCommands, settleStored, storeCommands, waitCommand } from './publish-commands.js';
import { faultKind, firstWord, outcomeUnknown, redirectionOf, unavailable } from './publish-faults.js';
import { type Publish, PublishLane } from './publish-lane.js';
import type { Command, PublishLink, PublishLinkTimings } from './publish-link.js';
import { PublishRoutes } from './publish-routes.js';
import { isScriptMissing } from './scripts.js';
import type { Topology, TopologyView } from './topology.js';

/** Numbers of the publishing side; times in ms. */
export interface PublisherTimings extends PublishLinkTimings {
  /** How long a publish is retried. Default 15,000. */
  readonly giveUpMs: number;
  /** Until a new connection has shown that it leads to a master. Default 1500. */
  readonly handshakeMs: number;
  /** Replies overdue for this long: what comes waits, so that it is not lost in doubt. Default 500. */
  readonly suspectMs: number;
  /** Replies overdue for this long: the connection is given up. Default 3000. */
  readonly replyMs: number;
  /** How long a replicated publish waits for its replica. Default 1000. */
  readonly replicaMs: number;
  /** Waits before a retry, random below a ceiling that doubles. Default 20 up to 500. */
  readonly retry: BackoffTimings;
}

export const PUBLISHER_TIMINGS: PublisherTimings = {
  giveUpMs: 15_000,
  handshakeMs: 1_500,
  suspectMs: 500,
  replyMs: 3_000,
  replicaMs: 1_000,
  retry: { minMs: 20, maxMs: 500 },
};

export interface PublisherOptions {
  readonly clock: Clock;
  readonly link: RedisOptions;
  readonly topology: Pick<Topology, 'view' | 'refresh'>;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** Most bytes of messages that may wait or be on their way; beyond it: `unavailable`. Default 64 MiB. */
  readonly maxPendingBytes?: number;
  readonly timings?: Partial<PublisherTimings>;
}

const DEFAULT_MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** How often lanes that wait for a retry are looked at, ms. */
const RETRY_TICK_MS = 20;

/** A batch whose commands stand in a write. */
interface Job {
  readonly lane: PublishLane;
  readonly batch: readonly Publish[];
  readonly commands: readonly Command[];
}

/**
 * The publishing half of the Redis engine. What is published in one turn of the event loop leaves in
 * one write per master, and what is published to one channel in one command. A refused publish is
 * retried until `giveUpMs`; one whose reply was cut off only if its key makes that safe.
 */
export class RedisPublisher {
  readonly #clock: Clock;
  readonly #options: PublisherOptions;
  readonly #timings: PublisherTimings;
  readonly #maxPendingBytes: number;
  readonly #routes: PublishRoutes;
  readonly #lanes = new Map<string, PublishLane>();
  /** Lanes with something to send now. */
  #ready = new Set<PublishLane>();
  /** Lanes that wait for their `retryAt`. */
  readonly #waiting = new Set<PublishLane>();
  /** Replicated batches leave together: these wait until the round before is answered. */
  readonly #parked = new Set<PublishLane>();
  #pendingBytes = 0;
  #isFlushScheduled = false;
  #cancelTick: Cancel | undefined;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#timings = { ...PUBLISHER_TIMINGS, ...options.timings };
    this.#maxPendingBytes = options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES;
    const { clock, link, topology } = options;
    this.#routes = new PublishRoutes({ clock, link, topology, timings: this.#timings, onUp: () => this.#wake() });
  }

  /** As the port says; not to be called after `close`. Never rejects: every message has its outcome. */
  async publish(
    channel: ChannelSpec,
    messages: readonly NewMessage[],
    { durability }: PublishOptions = {},
  ): Promise<PublishOutcome[]> {
    const isReplicated = channel.durable && durability === 'replicated';
    const giveUpAt = this.#clock.now() + this.#timings.giveUpMs;
    const lane = this.#laneOf(channel);
    const outcomes = messages.map((message) => this.#add(lane, message, isReplicated, giveUpAt));
    this.#makeReady(lane);
    return Promise.all(outcomes);
  }

  /** The topology's view changed. */
  adopt(view: TopologyView): void {
    this.#routes.adopt(view);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTick?.();
    this.#routes.close();
    for (const lane of this.#lanes.values()) lane.abandon(new Error('the broker is closed'));
  }

  #laneOf(channel: ChannelSpec): PublishLane {
    let lane = this.#lanes.get(channel.name);
    if (!lane) {
      lane = new PublishLane(channel);
      this.#lanes.set(channel.name, lane);
    }
    lane.channel = channel;
    return lane;
  }

  #add(lane: PublishLane, message: NewMessage, isReplicated: boolean, giveUpAt: number): Promise<PublishOutcome> {
    return new Promise((resolve) => {
      try {
        const body = encodeBody(message);
        if (this.#pendingBytes + body.length > this.#maxPendingBytes) {
          resolve(unavailable(new Error('too many publishes wait already')));
          return;
        }
        this.#pendingBytes += body.length;
        const settle = (outcome: PublishOutcome) => {
          this.#pendingBytes -= body.length;
          resolve(outcome);
        };
        lane.add({ body, key: message.key, isReplicated, giveUpAt, settle, mayBeDone: false });
      } catch (error) {
        resolve(error as FanfareError);
      }
    });
  }

  #makeReady(lane: PublishLane): void {
    if (lane.isBusy || this.#waiting.has(lane) || this.#parked.has(lane)) return;
    if (lane.isEmpty) {
      this.#lanes.delete(lane.channel.name);
      return;
    }
    this.#ready.add(lane);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#clock.soon(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    const lanes = this.#ready;
    this.#ready = new Set();
    const writes = new Map<PublishLink, Job[]>();
    for (const lane of lanes) {
      const { isReplicated, asked } = lane;
      const link = asked ? this.#routes.linkAt(asked, isReplicated) : this.#routes.linkTo(lane.slot, isReplicated);
      if (!link) {
        this.#routes.refresh();
        this.#retry(lane, [], new Error('nobody serves its slot'), false);
      } else if (isReplicated && link.isBusy) {
        this.#parked.add(lane);
      } else {
        const jobs = writes.get(link);
        if (jobs) jobs.push(this.#job(lane));
        else writes.set(link, [this.#job(lane)]);
      }
    }
    for (const [link, jobs] of writes) this.#send(link, jobs);
  }

  #job(lane: PublishLane): Job {
    const batch = lane.take();
    lane.isBusy = true;
    const commands = lane.channel.durable
      ? storeCommands(lane, batch, this.#options.idempotencyMs)
      : pushCommands(lane, batch, this.#clock.now());
    lane.asked = undefined;
    lane.needsScript = false;
    return { lane, batch, commands };
  }

  #send(link: PublishLink, jobs: readonly Job[]): void {
    const commands = jobs.flatMap((job) => job.commands);
    const isReplicated = jobs[0]?.batch[0]?.isReplicated;
    if (isReplicated) commands.push(waitCommand(this.#timings.replicaMs));
    const replies = link.send(commands);
    const acknowledged = isReplicated ? replies.pop() : undefined;
    for (const job of jobs) void this.#conclude(link, job, replies.splice(0, job.commands.length), acknowledged);
    acknowledged?.then(() => {
      const lanes = [...this.#parked];
      this.#parked.clear();
      for (const lane of lanes) this.#makeReady(lane);
    });
  }

  /** @param acknowledged how many replicas have what the link was sent up to now, or an error */
  async #conclude(
    link: PublishLink,
    { lane, batch }: Job,
    replies: readonly Promise<unknown>[],
    acknowledged: Promise<unknown> | undefined,
  ): Promise<void> {
    const answers = await Promise.all(replies);
    lane.isBusy = false;
    if (lane.channel.durable) {
      const answer = answers.at(-1);
      if (answer instanceof Error) return this.#failed(link, lane, batch, () => answer);
      void settleStored(batch, answer, acknowledged);
    } else {
      const isFailed = (_: unknown, i: number) => answers[i] instanceof Error;
      for (const [i, publish] of batch.entries()) if (!isFailed(publish, i)) publish.settle({});
      const errors = answers.filter((answer) => answer instanceof Error);
      if (errors.length > 0) return this.#failed(link, lane, batch.filter(isFailed), (i) => errors[i] as Error);
    }
    lane.succeeded();
    this.#makeReady(lane);
  }

  /** Settles what must not or need not be tried again, and retries the rest. */
  #failed(link: PublishLink, lane: PublishLane, batch: readonly Publish[], errorOf: (i: number) => Error): void {
    const again: Publish[] = [];
    for (const [i, publish] of batch.entries()) {
      const error = errorOf(i);
      const kind = faultKind(error);
      const isRepeatable = lane.channel.durable && publish.key !== undefined;
      if (kind === 'broken') {
        publish.settle(new FanfareError('internal', 'the message could not be published', { cause: error }));
      } else if (kind === 'unknown' && !isRepeatable) {
        publish.settle(outcomeUnknown(error, false));
      } else {
        publish.mayBeDone ||= kind === 'unknown';
        again.push(publish);
      }
    }
    const error = errorOf(0);
    this.#retry(lane, again, error, this.#learn(link, lane, error));
  }

  /** What an error says about where to go next. Returns whether it is worth going there at once. */
  #learn(link: PublishLink, lane: PublishLane, error: Error): boolean {
    const redirection = redirectionOf(error);
    if (redirection?.kind === 'MOVED') this.#routes.follow(lane.slot, redirection, link);
    else if (redirection) lane.asked = { host: redirection.host || link.address.host, port: redirection.port };
    else if (isScriptMissing(error)) lane.needsScript = true;
    else {
      if (firstWord(error) === 'READONLY') link.condemn('it is read-only');
      this.#routes.refresh();
      return false;
    }
    return true;
  }

  #retry(lane: PublishLane, batch: readonly Publish[], problem: Error, isSoon: boolean): void {
    lane.retry(batch, this.#clock, this.#timings.retry, problem, isSoon);
    if (this.#isClosed) lane.abandon(problem);
    if (lane.isEmpty || lane.retryAt <= this.#clock.now()) this.#makeReady(lane);
    else this.#wait(lane);
  }

  #wait(lane: PublishLane): void {
    this.#waiting.add(lane);
    this.#cancelTick ??= this.#clock.after(RETRY_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const now = this.#clock.now();
    for (const lane of this.#waiting) {
      lane.expire(now);
      if (!lane.isEmpty && lane.retryAt > now) continue;
      this.#waiting.delete(lane);
      this.#makeReady(lane);
    }
    if (this.#waiting.size > 0) this.#cancelTick = this.#clock.after(RETRY_TICK_MS, () => this.#tick());
  }

  /** Something changed for the better: nobody waits longer than needed. */
  #wake(): void {
    const lanes = [...this.#waiting];
    this.#waiting.clear();
    for (const lane of lanes) this.#makeReady(lane);
  }
}
