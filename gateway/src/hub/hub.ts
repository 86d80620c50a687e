import type { Broker } from '../broker/broker.js';
import type { LogPosition } from '../broker/record.js';
import type { Cancel, Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { FlightRecorder } from '../flight-recorder.js';
import type { ChannelPolicy } from '../namespaces.js';
import { Semaphore } from '../semaphore.js';
import type { Stats } from '../stats.js';
import type { Transport } from '../transport/transport.js';
import type { Channel, Membership } from './channel.js';
import { DurableChannel } from './durable-channel.js';
import type { FindMembership } from './exceptions.js';
import { HUB_DEFAULTS, type HubContext, type HubOptions, type ResetListener } from './hub-options.js';
import { LiveChannel } from './live-channel.js';
import { SendScheduler } from './send-scheduler.js';
import { type Stall, stallsOf } from './stalls.js';
import type { Subscriber } from './subscriber.js';

interface HubDependencies {
  readonly broker: Broker;
  readonly transport: Pick<Transport, 'publish'>;
  readonly clock: Clock;
  readonly stats: Stats;
  /** The flight recorder in which it is noted what becomes of messages. Default: none. */
  readonly recorder?: FlightRecorder | undefined;
  /** Called when clients are told a reset. Default: nothing is called. */
  readonly onReset?: ResetListener | undefined;
  /** Finds the place on a channel of a session that does not get a message. Default: nobody is found. */
  readonly findMembership?: FindMembership | undefined;
  readonly onFault: (message: string, error?: unknown) => void;
  readonly options?: Partial<HubOptions>;
}

interface ChannelStanding {
  /** The position of the last message that came here; `undefined` on a live channel, or if the log was not read yet. */
  readonly head: LogPosition | undefined;
  /** How many of the messages that came here have not left yet. */
  readonly pending: number;
  readonly subscribers: number;
}

/** The channels that are alive on this gateway. Holds nothing that the log can't rebuild. */
export class Hub {
  readonly #context: HubContext;
  readonly #channels = new Map<string, Channel>();
  /**
   * Channels whose subscription is being ended. A new life of a channel waits for that: a channel has one subscription
   * operation at a time.
   */
  readonly #ending = new Map<string, Promise<void>>();
  #audit: Cancel | undefined;
  #closed = false;

  constructor(dependencies: HubDependencies) {
    const { broker, transport, clock, stats, onReset = () => {}, findMembership, onFault, options } = dependencies;
    const { recorder = new FlightRecorder(0) } = dependencies;
    const resolved = { ...HUB_DEFAULTS, ...options };
    this.#context = {
      broker,
      scheduler: new SendScheduler(transport, clock, stats, resolved, findMembership, recorder),
      clock,
      stats,
      recorder,
      options: resolved,
      repairs: new Semaphore(resolved.repairConcurrency),
      standing: new Set(),
      onReset,
      onFault,
    };
    this.#scheduleAudit();
  }

  get scheduler(): SendScheduler {
    return this.#context.scheduler;
  }

  /** The channels that are alive here, and how many of this gateway's clients are on each. */
  *channels(): Iterable<{ readonly channel: string; readonly subscribers: number }> {
    for (const channel of this.#channels.values())
      yield { channel: channel.spec.name, subscribers: channel.subscribers };
  }

  /** How a channel stands here now; `undefined` if it is not alive here. */
  standing(name: string): ChannelStanding | undefined {
    const channel = this.#channels.get(name);
    return channel && { head: channel.head, pending: channel.queue.pending, subscribers: channel.subscribers };
  }

  /** The stalls: channels that have stood still for longer than a join may wait. */
  stalls(): Stall[] {
    return stallsOf(this.#context.standing);
  }

  get size(): number {
    return this.#channels.size;
  }

  /** Whether a channel is alive here. */
  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** Gives the client a place on the channel, which is alive from now on; `membership.channel.join` brings the client there. */
  enter(policy: ChannelPolicy, subscriber: Subscriber): Membership {
    if (this.#closed) throw new FanfareError('unavailable', 'the gateway stops', { retryAfterMs: 1_000 });
    let channel = this.#channels.get(policy.name);
    if (!channel) {
      const { name, durable, historySize, historyTtlMs } = policy;
      const Kind = durable ? DurableChannel : LiveChannel;
      const ready = this.#ending.get(name) ?? Promise.resolve();
      channel = new Kind({ name, durable, historySize, historyTtlMs }, this.#context, ready, this.#onEnd);
      this.#channels.set(name, channel);
      this.#context.stats.channels++;
    }
    return channel.enter(subscriber);
  }

  /**
   * Publishes through the broker, for publishers of this gateway. The channel so knows that messages are on their way,
   * and sends messages that follow each other closely to its subscribers together.
   */
  readonly publish: Broker['publish'] = (channel, messages, options) => {
    const { name, durable } = channel;
    const published = this.#context.broker.publish(channel, messages, options);
    const settled = this.#channels.get(name)?.queue.publishing();
    if (settled) published.then(settled, settled);
    // By then the channel may have ended and begun anew, and have read its log before this was stored.
    if (durable) published.then((outcomes) => this.#channels.get(name)?.onPublished(outcomes), ignore);
    return published;
  };

  async close(): Promise<void> {
    this.#closed = true;
    this.#audit?.();
    for (const channel of [...this.#channels.values()]) channel.end();
    await Promise.all(this.#ending.values());
  }

  /** One function for all channels, because there may be as many channels as connections. */
  readonly #onEnd = (channel: Channel, done: Promise<void>): void => {
    const { name } = channel.spec;
    this.#channels.delete(name);
    this.#context.stats.channels--;
    this.#ending.set(name, done);
    void done.then(() => {
      if (this.#ending.get(name) === done) this.#ending.delete(name);
    });
  };

  #scheduleAudit(): void {
    const { clock, options } = this.#context;
    this.#audit = clock.after(options.auditMs, async () => {
      await Promise.all([...this.#channels.values()].map((channel) => channel.audit()));
      if (!this.#closed) this.#scheduleAudit();
    });
  }
}

function ignore(): void {}
