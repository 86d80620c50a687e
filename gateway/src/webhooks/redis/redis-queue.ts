import { pause } from '../../clock.js';
import type { RedisDeployment } from '../../redis/deployment.js';
import { shardOf } from '../../redis/keys.js';
import { ShardSweep } from '../../redis/sweep.js';
import type { Delivery, Endpoint } from '../endpoint.js';
import { type EventQueue, GIVE_UP, type GiveUpRule, type QueueStats } from '../event-queue.js';
import { type Batch, type EventJson, typeOf } from '../events.js';
import { addEvent, queueLength, settleEvents, takeEvents, WEBHOOK_SCRIPTS } from './webhook-scripts.js';

export interface RedisQueueOptions {
  readonly deployment: RedisDeployment;
  readonly endpoint: Endpoint;
  /** Name of this life of this gateway process, which no other one has. */
  readonly gateway: string;
  /** The types of events that are sent. Others are passed over. */
  readonly types: ReadonlySet<string>;
  /** About how many events may wait in a shard. Beyond that the oldest are lost. */
  readonly maxEvents: number;
  /**
   * How long a gateway that sends events of a shard is alone in doing so, ms. It has to be longer than the application
   * has to answer.
   */
  readonly leaseMs: number;
  readonly gateways?: () => number;
  readonly giveUp?: Partial<GiveUpRule>;
  /** Time in which all gateways together look once at every shard for events that nobody sends, ms. Default 10 s. */
  readonly sweepMs?: number;
  readonly onFault: (message: string, error?: unknown) => void;
}

/** Most events that wait to be added to queues that cannot be reached. */
const MAX_ADDING = 10_000;
const SWEEP_MS = 10_000;
/** Failures of Redis in a row after which a shard is left to the next sweep. */
const MAX_FAILURES = 5;

/**
 * The queue in Redis. There is a stream of events in each shard, so that a script that changes something adds its event
 * in the same step. The gateway that adds an event sends everything that waits in that shard, unless another gateway
 * does so already. Events that a dead gateway left behind are found by the others.
 */
export class RedisQueue implements EventQueue {
  readonly stats: QueueStats = { added: 0, delivered: 0, dropped: 0, dead: 0 };
  readonly #options: RedisQueueOptions;
  readonly #giveUp: GiveUpRule;
  /** Shards whose events this gateway is sending, each with whether some were added meanwhile. */
  readonly #sending = new Map<number, { again: boolean }>();
  #adding = 0;
  readonly #sweeps: ShardSweep;
  #isClosed = false;

  constructor(options: RedisQueueOptions) {
    this.#options = options;
    this.#giveUp = { ...GIVE_UP, ...options.giveUp };
    options.deployment.join({}, WEBHOOK_SCRIPTS);
    const { clock, commands } = options.deployment;
    this.#sweeps = new ShardSweep({
      clock,
      sweepMs: options.sweepMs ?? SWEEP_MS,
      gateways: options.gateways,
      look: async (shard) => {
        if ((await queueLength(commands, shard)) > 0) this.wake(shard);
      },
    });
  }

  start(): void {
    this.#sweeps.start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweeps.stop();
  }

  add(channel: string, event: EventJson): void {
    if (this.#adding >= MAX_ADDING || this.#isClosed) {
      this.stats.dropped++;
      return;
    }
    const shard = shardOf(channel);
    this.#adding++;
    addEvent(this.#options.deployment.commands, shard, event, this.#options.maxEvents)
      .then(
        () => {
          this.stats.added++;
          this.wake(shard);
        },
        () => this.stats.dropped++,
      )
      .finally(() => this.#adding--);
  }

  /** To be called when events of this shard may wait: sends them, unless another gateway does. */
  wake(shard: number): void {
    const sending = this.#sending.get(shard);
    if (sending) {
      sending.again = true;
      return;
    }
    if (this.#isClosed) return;
    const state = { again: false };
    this.#sending.set(shard, state);
    void this.#sendAll(shard, state).finally(() => this.#sending.delete(shard));
  }

  async #sendAll(shard: number, state: { again: boolean }): Promise<void> {
    const { deployment, endpoint, onFault } = this.#options;
    let refusals = 0;
    for (let failures = 0; failures <= MAX_FAILURES && !this.#isClosed; ) {
      let isEmpty = false;
      try {
        await endpoint.turn(async (send) => {
          if (this.#isClosed) return;
          state.again = false;
          const sent = await this.#sendSome(shard, send, refusals);
          isEmpty = sent === undefined;
          refusals = sent ?? 0;
        });
        failures = 0;
        if (isEmpty && !state.again) return;
        if (refusals > 0) await pause(deployment.clock, refusals);
      } catch (error) {
        // Events that were not taken off the queue are sent again, by this gateway or another one.
        if (++failures === MAX_FAILURES) onFault('the webhook queue cannot be used', error);
        await pause(deployment.clock, failures);
      }
    }
  }

  /** Sends one batch. Resolves with how often in a row it was refused; `undefined` if there is nothing to send. */
  async #sendSome(
    shard: number,
    send: (batch: Batch) => Promise<Delivery>,
    refusals: number,
  ): Promise<number | undefined> {
    const { deployment, gateway, leaseMs, types } = this.#options;
    const entries = await takeEvents(deployment.commands, shard, gateway, leaseMs);
    if (!entries || entries.length === 0) return undefined;
    const ids = entries.map(({ id }) => id);
    const settle = (some: readonly string[], why?: string) =>
      settleEvents(deployment.commands, shard, gateway, some, why);
    const events = entries
      .filter(({ event }) => types.has(typeOf(event) ?? ''))
      .map(({ id, event }) => ({ id: `s${shard}-${id}`, event }));
    if (events.length === 0) {
      await settle(ids);
      return 0;
    }
    const delivery = await send({ id: `${events[0]?.id}_${events.at(-1)?.id}`, events });
    if (delivery.outcome === 'delivered') {
      if (await settle(ids)) this.stats.delivered += events.length;
      return 0;
    }
    if (delivery.outcome === 'refused') {
      if (refusals + 1 < this.#giveUp.refusals) return refusals + 1;
      if (await settle(ids, delivery.reason)) this.stats.dead += events.length;
      return 0;
    }
    // The time that an event may wait is counted for each event by itself. IDs begin with the time.
    const since = deployment.clock.wall() - this.#giveUp.downMs;
    const over = ids.filter((id) => Number(id.split('-')[0]) < since);
    if (over.length > 0 && (await settle(over, delivery.reason))) this.stats.dead += over.length;
    return 0;
  }
}
