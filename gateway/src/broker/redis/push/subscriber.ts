import type { Clock } from '../../../clock.js';
import { FanfareError } from '../../../errors.js';
import { Deadline } from '../../../redis/deadline.js';
import type { RedisDeployment } from '../../../redis/deployment.js';
import { pushName, SHARD_COUNT, shardOf } from '../../../redis/keys.js';
import type { LinkOptions } from '../../../redis/link.js';
import type { RedisLog } from '../../../redis/log.js';
import { masterAt, type Topology, type TopologyView } from '../../../redis/topology/topology.js';
import type { RedisAddress } from '../../../redis/url.js';
import {
  type ChannelListener,
  type ChannelSpec,
  type LogPage,
  NEW_IDENTITY_MS,
  type ReadRange,
  type ShardHealth,
  type Subscription,
} from '../../broker.js';
import { decodeRecord, splitPush } from '../../record-codec.js';
import { ChannelSubscription } from './channel-subscription.js';
import { ShardConnection } from './connection.js';
import { Doubts } from './doubts.js';
import { shardHealth, UNSERVED } from './health.js';
import { LogReads } from './log-reads.js';
import {
  createSubscriberStats,
  DEFAULT_MAX_MESSAGE_BYTES,
  SUBSCRIBER_TIMINGS,
  type SubscriberOptions,
  type SubscriberStats,
  type SubscriberTimings,
} from './options.js';
import type { PushLink } from './push-link.js';
import { VirtualShard } from './virtual-shard.js';

/** How often the identity of a channel that has subscribers is renewed within its life, while nobody has published. */
const RENEWALS_PER_LIFE = 4;

/**
 * The subscribing and reading half of the Redis engine: one connection for each master, on which the pushes of its
 * channels and the reads of their logs are one view. It notices when a master is gone, was moved or was deposed, and
 * tells the channels concerned.
 */
export class RedisSubscriber {
  readonly stats: SubscriberStats = createSubscriberStats();
  readonly #deployment: RedisDeployment;
  readonly #link: LinkOptions;
  readonly #db: number;
  readonly #clock: Clock;
  readonly #timings: SubscriberTimings;
  readonly #log: RedisLog | undefined;
  readonly #maxMessageBytes: number;
  readonly #topology: Topology;
  readonly #reads: LogReads;
  readonly #doubts: Doubts;
  readonly #shards: readonly VirtualShard[];
  readonly #connections = new Map<string, ShardConnection>();
  /** The subscribed channels, by sharded pub/sub name. */
  readonly #channels = new Map<string, ChannelSubscription>();
  /** Subscriptions that are being ended, by channel. */
  readonly #leaving = new Map<string, Promise<void>>();
  #isRefreshing = false;
  #onUp: (() => void) | undefined;

  constructor(options: SubscriberOptions) {
    const { clock, link, topology } = options.deployment;
    this.#deployment = options.deployment;
    this.#link = link;
    this.#db = link.db ?? 0;
    this.#clock = clock;
    this.#topology = topology;
    this.#timings = { ...SUBSCRIBER_TIMINGS, ...options.timings };
    this.#log = options.log;
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    const timings = this.#timings;
    this.#deployment.join({ onView: (view) => this.#adopt(view), isLost: () => this.#isLost() });
    this.#shards = Array.from(
      { length: SHARD_COUNT },
      (_, index) =>
        new VirtualShard(index, clock, timings.backoff, {
          onRefused: (error) => {
            this.stats.refused++;
            this.#log?.info({ shard: `s${index}`, error }, 'subscription refused');
            this.#refresh();
          },
          onResumed: (count) => {
            this.stats.resumed += count;
          },
        }),
    );
    this.#doubts = new Doubts(
      clock,
      timings.doubtMs,
      ({ slot }) => this.#topology.view?.moving.has(slot) ?? false,
      (channels) => {
        this.stats.doubts += channels;
      },
    );
    this.#reads = new LogReads({
      clock,
      readWaitMs: timings.readWaitMs,
      linkAt: (address) => this.#linkAt(address),
      confirm: (slot, master) => {
        this.stats.confirmations++;
        return this.#topology.confirm(slot, master);
      },
      onMoving: (shard) => this.#doubts.raise(shard),
      onMoved: () => this.#refresh(),
      onError: (at, slot, error) => this.#deployment.refusals.note(at, slot, error),
    });
  }

  /**
   * Connects to all masters. Resolves once every master is connected, or after `startMs` if at least one is. Rejects
   * with one clear line if none is by then.
   */
  async start(): Promise<void> {
    const isTimeUp = await new Promise<boolean>((resolve) => {
      const deadline = new Deadline(this.#clock, this.#timings.startMs, () => resolve(true));
      this.#onUp = () => {
        if (this.#isLost()) return;
        deadline.cancel();
        resolve(false);
      };
      this.#deployment.start();
    });
    this.#onUp = undefined;
    if (!isTimeUp || [...this.#connections.values()].some(({ link }) => link)) return;
    const [problem = this.#topology.problem] = [...this.#connections.values()].map((connection) => connection.problem);
    this.close();
    throw new FanfareError('unavailable', problem ?? 'no Redis master was found');
  }

  close(): void {
    this.#doubts.close();
    for (const connection of this.#connections.values()) connection.close();
    for (const channel of this.#channels.values()) channel.ended();
    this.#channels.clear();
  }

  /**
   * Subscribes to a channel, as `Broker.subscribe` describes. @throws {FanfareError} `unavailable` if it is not
   * acknowledged within `subscribeMs`
   */
  async subscribe(spec: ChannelSpec, listener: ChannelListener): Promise<Subscription> {
    await this.#leaving.get(spec.name);
    const shard = this.#shardOf(spec.name);
    const channel = new ChannelSubscription(spec, this.#db, listener);
    if (this.#channels.has(channel.name)) throw new FanfareError('internal', 'the channel is subscribed already');
    this.#channels.set(channel.name, channel);
    await new Promise<void>((resolve, reject) => {
      const deadline = new Deadline(this.#clock, this.#timings.subscribeMs, () => {
        void this.leave(channel, shard);
        reject(unavailable(shard));
      });
      channel.onFirstAck = () => {
        deadline.cancel();
        resolve();
      };
      shard.add(channel);
    });
    return new RedisSubscription(channel, shard, this);
  }

  /**
   * Treats the connection of this shard as lost. To be called when there are records that the log of their channel does
   * not explain.
   */
  distrust(shard: VirtualShard): void {
    this.stats.distrusted++;
    shard.connection?.distrust();
  }

  /** Reads the log of a channel, as `Broker.read` describes. @throws {FanfareError} `unavailable` */
  async read(channel: ChannelSpec, range: ReadRange): Promise<LogPage> {
    const begunAt = this.#clock.now();
    const subscribed = this.#channels.get(pushName(channel.name, this.#db));
    subscribed?.reading();
    const renew = subscribed !== undefined && begunAt >= subscribed.renewAt;
    const page = await this.#reads.read(this.#shardOf(channel.name), channel, range, { renew });
    if (subscribed && renew) {
      const { renewMs } = this.#timings;
      const isNew = page.head.offset === 0;
      subscribed.renewAt = begunAt + (isNew ? Math.min(renewMs, NEW_IDENTITY_MS / RENEWALS_PER_LIFE) : renewMs);
    }
    return page;
  }

  /** The state of each master: `ok` once it serves and everything on it is acknowledged. */
  health(): ShardHealth[] {
    const { view, problem = 'not connected yet' } = this.#topology;
    const riskOf = (master: string) => this.#deployment.refusals.detail(master);
    return shardHealth(this.#connections.values(), this.#shards, view ? undefined : problem, riskOf);
  }

  /** The master that serves a channel of this name now, as `health` names it. */
  masterOf(channel: string): string {
    return this.#shardOf(channel).connection?.name ?? UNSERVED;
  }

  #linkAt(address: RedisAddress): PushLink | undefined {
    const { view } = this.#topology;
    const name = view && masterAt(view, address);
    return name === undefined ? undefined : this.#connections.get(name)?.link;
  }

  #shardOf(channel: string): VirtualShard {
    return this.#shards[shardOf(channel)] as VirtualShard;
  }

  /** Ends the subscription to a channel. Resolves once no server holds it any more. */
  leave(channel: ChannelSubscription, shard: VirtualShard): Promise<void> {
    const { name } = channel.spec;
    if (this.#channels.get(channel.name) !== channel) return Promise.resolve();
    this.#channels.delete(channel.name);
    const left = shard.remove(channel).then(() => {
      this.#leaving.delete(name);
    });
    this.#leaving.set(name, left);
    return left;
  }

  /** Whether some virtual shard has no master that serves it. */
  #isLost(): boolean {
    return this.#connections.size === 0 || this.#shards.some(({ connection }) => !connection?.link);
  }

  #adopt(view: TopologyView): void {
    for (const [name, address] of view.masters) {
      if (!this.#connections.has(name)) this.#connections.set(name, this.#connect(address));
    }
    for (const shard of this.#shards) {
      const owner = view.owners.get(shard.slot);
      const connection = owner === undefined ? undefined : this.#connections.get(owner);
      if (connection !== shard.connection) shard.moveTo(connection);
      if (view.moving.has(shard.slot)) this.#doubts.raise(shard);
    }
    for (const [name, connection] of this.#connections) {
      if (view.masters.has(name)) continue;
      connection.close();
      this.#connections.delete(name);
    }
    this.#log?.info({ masters: [...view.masters.keys()], moving: view.moving.size }, 'redis topology');
  }

  #connect(address: { host: string; port: number }): ShardConnection {
    return new ShardConnection(
      address,
      { clock: this.#clock, link: this.#link, timings: this.#timings, maxMessageBytes: this.#maxMessageBytes },
      {
        onUp: (connection) => {
          this.stats.connects++;
          this.#log?.info({ shard: connection.name }, 'redis shard connected');
          const warning = connection.link?.warning;
          if (warning !== undefined) this.#log?.warn({ shard: connection.name, warning }, 'redis shard is at risk');
          for (const shard of this.#shards) if (shard.connection === connection) shard.schedule();
          this.#onUp?.();
        },
        onDown: (connection, reason) => {
          this.stats.lost++;
          this.#log?.warn({ shard: connection.name, reason }, 'redis shard lost');
          for (const shard of this.#shards) if (shard.connection === connection) shard.lose();
          this.#refresh();
        },
        onPush: (link, name, push) => this.#deliver(link, name, push),
        onGone: (link, names) => this.#onGone(link, names),
      },
    );
  }

  #deliver(link: PushLink, name: string, push: Buffer): void {
    const channel = this.#channels.get(name);
    if (!channel) return;
    try {
      const records = splitPush(push);
      // Each record is kept for a time of its own, and must not keep the memory of the others.
      const isShared = records.length > 1;
      for (const record of records) channel.deliver(link, decodeRecord(isShared ? Buffer.from(record) : record));
    } catch (error) {
      this.stats.malformed++;
      this.#log?.warn({ channel: channel.spec.name, error }, 'a push is no record');
      // The log may say what the malformed push was.
      if (channel.spec.durable) channel.doubt();
    }
  }

  #onGone(link: PushLink, names: readonly string[]): void {
    this.stats.gone += names.length;
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel?.link !== link) continue;
      const shard = this.#shardOf(channel.spec.name);
      shard.lose([channel]);
      shard.schedule();
    }
    this.#refresh();
  }

  #refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    this.#topology.refresh().finally(() => {
      this.#isRefreshing = false;
    });
  }
}

/** One channel that somebody follows. A class, because there may be one for each connection. */
class RedisSubscription implements Subscription {
  readonly #channel: ChannelSubscription;
  readonly #virtualShard: VirtualShard;
  readonly #subscriber: RedisSubscriber;
  #left: Promise<void> | undefined;

  constructor(channel: ChannelSubscription, virtualShard: VirtualShard, subscriber: RedisSubscriber) {
    this.#channel = channel;
    this.#virtualShard = virtualShard;
    this.#subscriber = subscriber;
  }

  get shard(): string {
    return this.#virtualShard.connection?.name ?? UNSERVED;
  }

  unsubscribe(): Promise<void> {
    this.#left ??= this.#subscriber.leave(this.#channel, this.#virtualShard);
    return this.#left;
  }

  distrust(): void {
    this.#subscriber.distrust(this.#virtualShard);
  }
}

function unavailable({ connection }: VirtualShard): FanfareError {
  const reason = connection
    ? (connection.problem ?? 'the subscription was not acknowledged')
    : 'nobody serves its slot';
  return new FanfareError('unavailable', 'the channel cannot be served now', {
    cause: new Error(reason),
    retryAfterMs: 1_000,
  });
}
