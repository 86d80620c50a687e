import type { Clock } from '../../../clock.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { slotOfShard } from '../../../redis/keys.js';
import type { ChannelSubscription } from './channel-subscription.js';
import type { ShardConnection } from './connection.js';
import type { PushLink } from './push-link.js';

/** Channels named by one SSUBSCRIBE or SUNSUBSCRIBE at most. */
const MAX_NAMES = 512;

interface VirtualShardEvents {
  /** The server refused a subscription (slot moved, cluster down). */
  onRefused(error: Error): void;
  /** So many interrupted channels are acknowledged again. */
  onResumed(count: number): void;
}

interface Leaving {
  readonly name: string;
  readonly done: () => void;
}

/**
 * The channels of one virtual shard: they share a slot, hence a master, hence a connection. It asks for
 * what is wanted, in few commands, wherever the slot lives.
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

  constructor(index: number, clock: Clock, retry: BackoffTimings, events: VirtualShardEvents) {
    this.slot = slotOfShard(index);
    this.#clock = clock;
    this.#events = events;
    this.#backoff = new Backoff(retry, clock.random);
  }

  /** To the master of its slot; `undefined`: nobody serves it. */
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

  /** Resolves once no server holds it any more. */
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

  /** The slot's master is another one now. The one before ends its subscriptions when it hears of it. */
  moveTo(connection: ShardConnection | undefined): void {
    this.#connection = connection;
    this.lose();
    this.schedule();
  }

  /** What carried these channels (all, unless named) is gone. */
  lose(channels: Iterable<ChannelSubscription> = this.channels): void {
    for (const channel of channels) {
      this.#wanted.add(channel);
      channel.lost();
    }
  }

  doubt(): void {
    for (const channel of this.channels) channel.doubt();
  }

  /** Asks, in the next turn, for all that is wanted by then. */
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
