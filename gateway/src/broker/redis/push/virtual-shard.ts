import type { Clock } from '../../../clock.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { slotOfShard } from '../../../redis/keys.js';
import type { ChannelSubscription } from './channel-subscription.js';
import type { ShardConnection } from './connection.js';
import type { PushLink } from './push-link.js';

/** Most channels that one SSUBSCRIBE or SUNSUBSCRIBE names. */
const MAX_NAMES = 512;

interface VirtualShardEvents {
  /** Called when the server refused a subscription, because its slot has moved or the cluster is down. */
  onRefused(error: Error): void;
  /** Called when so many interrupted channels were acknowledged again. */
  onResumed(count: number): void;
}

interface Leaving {
  readonly name: string;
  readonly done: () => void;
}

/**
 * The channels of one virtual shard. They share a slot, hence a master, hence a connection. It subscribes to the
 * channels that are wanted, in few commands, wherever the slot lives.
 */
export class VirtualShard {
  readonly slot: number;
  readonly channels = new Set<ChannelSubscription>();
  readonly #clock: Clock;
  readonly #events: VirtualShardEvents;
  readonly #backoff: Backoff;
  readonly #wanted = new Set<ChannelSubscription>();
  readonly #leaving = new Map<PushLink, Leaving[]>();
  #connection: ShardConnection | undefined;
  #isScheduled = false;

  constructor(index: number, clock: Clock, backoff: BackoffTimings, events: VirtualShardEvents) {
    this.slot = slotOfShard(index);
    this.#clock = clock;
    this.#events = events;
    this.#backoff = new Backoff(backoff, clock.random);
  }

  /** The connection to the master of the slot; `undefined`: nobody serves the slot. */
  get connection(): ShardConnection | undefined {
    return this.#connection;
  }

  get interruptedCount(): number {
    let count = 0;
    for (const channel of this.channels) if (channel.isInterrupted) count++;
    return count;
  }

  add(channel: ChannelSubscription): void {
    this.channels.add(channel);
    this.#wanted.add(channel);
    this.schedule();
  }

  /** Ends the subscription to a channel. Resolves once no server holds it any more. */
  remove(channel: ChannelSubscription): Promise<void> {
    const { link, name } = channel;
    this.channels.delete(channel);
    this.#wanted.delete(channel);
    channel.ended();
    if (!link?.isOpen) return Promise.resolve();
    return new Promise((done) => {
      const leaving = this.#leaving.get(link) ?? [];
      this.#leaving.set(link, [...leaving, { name, done }]);
      this.schedule();
    });
  }

  /** Moves to the new master of the slot. The old master ends its subscriptions when it learns of the move. */
  moveTo(connection: ShardConnection | undefined): void {
    this.#connection = connection;
    this.lose();
    this.schedule();
  }

  /** Notes that the link that carried these channels is gone. Default: all channels of the shard. */
  lose(channels: Iterable<ChannelSubscription> = this.channels): void {
    for (const channel of channels) {
      this.#wanted.add(channel);
      channel.lost();
    }
  }

  doubt(): void {
    for (const channel of this.channels) channel.doubt();
  }

  /** Subscribes, in the next turn of the event loop, to all channels that are wanted by then. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#leave();
      this.#ask();
    });
  }

  #ask(): void {
    const link = this.#connection?.link;
    if (!link) return;
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (const some of chunks(wanted)) void this.#subscribe(link, some);
  }

  async #subscribe(link: PushLink, channels: readonly ChannelSubscription[]): Promise<void> {
    for (const channel of channels) channel.asked(link);
    try {
      await link.subscribe(channels.map(({ name }) => name));
      this.#backoff.reset();
      const resumed = channels.filter((channel) => channel.acknowledged(link)).length;
      if (resumed > 0) this.#events.onResumed(resumed);
    } catch (error) {
      const refused = channels.filter((channel) => channel.link === link);
      if (refused.length === 0) return; // the link ended, and they were told
      this.lose(refused);
      this.#events.onRefused(error as Error);
      this.#clock.after(this.#backoff.next(), () => this.schedule());
    }
  }

  #leave(): void {
    for (const [link, leaving] of this.#leaving) {
      for (const some of chunks(leaving)) {
        const done = () => {
          for (const one of some) one.done();
        };
        link.unsubscribe(some.map(({ name }) => name)).then(done, done); // refused: it holds none of them
      }
    }
    this.#leaving.clear();
  }
}

function chunks<T>(items: readonly T[]): T[][] {
  const result: T[][] = [];
  for (let i = 0; i < items.length; i += MAX_NAMES) result.push(items.slice(i, i + MAX_NAMES));
  return result;
}
