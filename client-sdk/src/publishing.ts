import type { Durability, Position, ReplicasWanted, Tags } from '@fanfare/protocol';
import { isKey } from '@fanfare/protocol/validate';
import { checkData } from './check-data.js';
import { checkNumber } from './check-number.js';
import type { Clock } from './clock.js';
import { badRequest } from './errors.js';
import type { Requests } from './requests.js';

/** What may be said of a message, whoever publishes it. */
export interface MessageOptions {
  /**
   * Publishes with the same key on the same channel are one, within the window of the gateway, which is 5 minutes unless
   * it is configured. A key has 1 to 128 bytes. The default is a random one, and none with `autoKey: false`.
   */
  readonly key?: string | undefined;
  /**
   * Labels that travel with the message, as texts by their names. There may be 32 of them with 1,024 bytes altogether,
   * and `$binary` may not be the name of a lone one.
   */
  readonly tags?: Tags | undefined;
  /**
   * With `replicated` the gateway waits until replicas have the message too, for a second at most. The default is
   * `stored`, which does not wait for them.
   */
  readonly durability?: Durability | undefined;
  /**
   * How many replicas the gateway waits for with `durability: 'replicated'`: a number from 1 on, or `'all'`, which are
   * those that are in sync, and one at least. The default is `'all'`, because any of them may be promoted.
   */
  readonly replicas?: ReplicasWanted | undefined;
  /**
   * The publish may take so long with all its retries and the wait for a connection, ms, from 1 on. The default is
   * `requestTimeoutMs` of the client, or `timeoutMs` of the publisher.
   */
  readonly timeoutMs?: number | undefined;
}

/** What a client may say of a message, besides its data. */
export interface PublishOptions extends MessageOptions {
  /**
   * Whether everyone gets the message but this client, whose page shows it already. The default is false. It goes by
   * connections, so a message that had not been passed over when the connection broke comes after all. The `key` of the
   * result tells which one it is.
   */
  readonly exceptSelf?: boolean | undefined;
}

/** What the gateway acknowledged. On a durable channel it is the position of the message, too. */
export interface PublishResult extends Partial<Position> {
  /** The channel it was published on. */
  readonly channel: string;
  /**
   * The key that was given or made, absent if there was none. The message carries it too, so that a page which shows its
   * own messages at once knows them again.
   */
  readonly key?: string;
  /**
   * It is true if the key had been seen before. Then the position is that of the first publish, and nothing new was
   * stored.
   */
  readonly duplicate?: boolean;
  /**
   * What was reached, if `replicated` was asked for. It is `stored` if fewer replicas have the message than were asked
   * for, and the message is in the log in any case.
   */
  readonly durability?: Durability;
  /** How many replicas have the message. It is there only if `replicated` was asked for. */
  readonly replicas?: number;
  /**
   * How many replicas are in sync, or were so within the last 10 s. It is there only if `replicated` was asked for.
   */
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
