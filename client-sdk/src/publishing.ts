import type { Durability, Position, ReplicasWanted, Tags } from '@fanfare/protocol';
import { isKey } from '@fanfare/protocol/validate';
import { checkData } from './check-data.js';
import { checkNumber } from './check-number.js';
import type { Clock } from './clock.js';
import { badRequest } from './errors.js';
import type { Requests } from './requests.js';

/** What goes with a message, whoever publishes it. */
export interface MessageOptions {
  /**
   * Publishes with the same key on the same channel, within the gateway's window (5 minutes unless
   * configured), are one. 1 to 128 bytes. Default: a random one, unless the client has `autoKey: false`.
   */
  readonly key?: string | undefined;
  /** Labels that travel with the message. */
  readonly tags?: Tags | undefined;
  /** `replicated`: wait until replicas have it too, for a second at most. Default `stored`. */
  readonly durability?: Durability | undefined;
  /**
   * How many replicas, only with `durability: 'replicated'`: a number from 1 on, or `'all'` that are in sync, one at least,
   * because any of them may be promoted. Default `'all'`.
   */
  readonly replicas?: ReplicasWanted | undefined;
  /**
   * How long it may take, waiting for a connection and retries included, ms. Default: `requestTimeoutMs` of the client,
   * or `timeoutMs` of the publisher.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of a publish by a client. */
export interface PublishOptions extends MessageOptions {
  /**
   * Everyone but this client gets it: its page shows it already. It goes by connections: a message that had not been
   * passed over when the connection broke comes after all; the `key` of the result tells it.
   */
  readonly exceptSelf?: boolean | undefined;
}

/** What the gateway acknowledged. On durable channels it is a position. */
export interface PublishResult extends Partial<Position> {
  /** The channel it was published on. */
  readonly channel: string;
  /** The one that was given or made; the message carries it too, so that an optimistic page knows its own. */
  readonly key?: string;
  /** The key had been seen: this is the position of the first publish, nothing new was stored. */
  readonly duplicate?: boolean;
  /** What was reached: `stored`, if fewer replicas have it than were asked for. It is in the log in any case. */
  readonly durability?: Durability;
  /** How many replicas have it; only if `replicated` was asked for. */
  readonly replicas?: number;
  /** How many replicas are in sync, or were so within the last 10 s; only if `replicated` was asked for. */
  readonly of?: number;
}

interface PublisherOptions {
  readonly requests: Requests;
  readonly clock: Pick<Clock, 'random'>;
  /** Whether every publish gets a key. */
  readonly autoKey: boolean;
  readonly timeoutMs: number;
}

/** How many channels are remembered as live. Beyond that they are learnt again. */
const MAX_LIVE = 1_000;

/** Makes publishes safe to repeat by keys, and does not repeat them on channels where keys do not count. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #keyPrefix: string;
  #keys = 0;
  /** The channels without a log. There a key does not keep subscribers from getting a message twice. */
  readonly #live = new Set<string>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#keyPrefix = randomText(options.clock, 12);
  }

  async publish(channel: string, data: unknown, options: PublishOptions): Promise<PublishResult> {
    checkData(data);
    if (options.key !== undefined && !isKey(options.key)) {
      throw badRequest('a key has 1 to 128 bytes');
    }
    const key = options.key ?? this.#nextKey(channel);
    const { tags, durability, replicas, exceptSelf, timeoutMs = this.#options.timeoutMs } = options;
    checkNumber('timeoutMs', timeoutMs, 1);
    const fields = {
      ...(key !== undefined && { key }),
      ...(tags && { tags }),
      ...(durability && { durability }),
      ...(replicas !== undefined && { replicas }),
    };
    const reply = await this.#options.requests.call(
      'published',
      (id) => ({ type: 'publish', id, channel, data, ...fields }),
      { timeoutMs, readOnly: false, exceptSelf, repeatable: () => key !== undefined && !this.#live.has(channel) },
    );
    this.learn(channel, reply.offset !== undefined);
    const { type: _type, id: _id, ...result } = reply;
    return { ...result, ...(key !== undefined && { key }) };
  }

  /** Remembers whether a channel has a log. */
  learn(channel: string, durable: boolean): void {
    if (durable) {
      this.#live.delete(channel);
      return;
    }
    if (this.#live.size >= MAX_LIVE) this.#live.clear();
    this.#live.add(channel);
  }

  #nextKey(channel: string): string | undefined {
    if (!this.#options.autoKey || this.#live.has(channel)) return undefined;
    return `${this.#keyPrefix}-${(this.#keys++).toString(36)}`;
  }
}

/** Returns random digits and small letters. */
function randomText(clock: Pick<Clock, 'random'>, length: number): string {
  return Array.from({ length }, () => Math.floor(clock.random() * 36).toString(36)).join('');
}
