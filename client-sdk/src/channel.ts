import { isChannelName, type Position } from '@fanfare/protocol';
import { isPosition } from '@fanfare/protocol/validate';
import { checkNumber } from './check-number.js';
import { FanfareClientError } from './errors.js';
import { type DurableMessage, type Message, messageOfHistory } from './message.js';
import type { Publisher, PublishOptions, PublishResult } from './publisher.js';
import type { Requests } from './requests.js';
import type { Subscription } from './subscription.js';

export interface SubscribeOptions {
  /** Go on after this position, e.g. that of an earlier subscription, or a durable message. Durable channels only. */
  readonly since?: Position | Message | undefined;
  /** Begin with the last n messages. Durable channels only. */
  readonly rewind?: number | undefined;
  /** Begin with the messages of the last n ms. Durable channels only. */
  readonly rewindMs?: number | undefined;
  /** Messages that may wait for a `for await` loop before the subscription pauses. Default: the client's. */
  readonly maxQueue?: number | undefined;
}

export interface HistoryOptions {
  /** The first messages after this position or durable message, or */
  readonly after?: Position | Message | undefined;
  /** the last ones before this; neither: the last ones. */
  readonly before?: Position | Message | undefined;
  /** Most messages. Default: the gateway's (100). */
  readonly limit?: number | undefined;
  /** Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

export interface HistoryPage<T = unknown> {
  /** In log order. */
  readonly messages: readonly DurableMessage<T>[];
  /** Whether the log goes on in that direction. */
  readonly more: boolean;
}

/** What a channel needs of its client. */
export interface ChannelHost {
  readonly publisher: Publisher;
  readonly requests: Requests;
  readonly requestTimeoutMs: number;
  subscribe(
    channel: string,
    handler: ((message: Message) => unknown) | undefined,
    options: SubscribeOptions,
  ): Subscription;
}

/** A name to subscribe and publish to. Costs nothing until used. */
export class Channel<T = unknown> {
  readonly name: string;
  readonly #host: ChannelHost;

  /** @throws {FanfareClientError} `bad_request` if the name is no channel name (1-255 bytes, no spaces, no control characters). */
  constructor(name: string, host: ChannelHost) {
    if (!isChannelName(name))
      throw new FanfareClientError('bad_request', `not a channel name: ${JSON.stringify(name)}`);
    this.name = name;
    this.#host = host;
  }

  /**
   * Begins a subscription; it may be made before `connect()`. Without a start it begins with what is
   * published from now on. Several subscriptions of one channel share one on the wire: a later one
   * joins where the first stands, so it cannot choose its start.
   *
   * @throws {FanfareClientError} `bad_request` (more than one start, a start that is none, or `maxQueue` under 1),
   * `already_subscribed` (a start, and the channel is subscribed to here already).
   */
  subscribe(handler?: (message: Message<T>) => unknown, options: SubscribeOptions = {}): Subscription<T> {
    checkStart(options);
    if (options.maxQueue !== undefined) checkNumber('maxQueue', options.maxQueue, 1);
    const listener = handler as ((message: Message) => unknown) | undefined;
    return this.#host.subscribe(this.name, listener, options) as Subscription<T>;
  }

  /**
   * Publishes, and resolves once it is in the log, with its position (none on live channels). Waits
   * for a connection; tries again after refusals that may pass, and after a lost connection if it has
   * a key. `data` is encoded at once. Publishes of one client go out in call order; one that was
   * refused for the moment may be overtaken by later ones: await each where order matters.
   *
   * @throws {FanfareClientError} as a rejection: `outcome_unknown` (it may or may not be in the log),
   * `timeout` (it is not), `too_large`, `bad_request`, `forbidden`, `limit_exceeded`, `closed`, ...
   */
  publish(data: T, options: PublishOptions = {}): Promise<PublishResult> {
    return this.#host.publisher.publish(this.name, data, options);
  }

  /**
   * Reads the log.
   * @throws {FanfareClientError} as a rejection: `timeout`, `forbidden`, ...; `bad_request` with a `reason`
   * if the position cannot be used: `expired`, `unrecoverable` or `diverged`.
   */
  async history(options: HistoryOptions = {}): Promise<HistoryPage<T>> {
    const { after, before, limit, timeoutMs = this.#host.requestTimeoutMs } = options;
    checkNumber('timeoutMs', timeoutMs, 1);
    const range = {
      ...(after && { after: positionOf(after) }),
      ...(before && { before: positionOf(before) }),
      ...(limit !== undefined && { limit }),
    };
    const reply = await this.#host.requests.call(
      'history',
      (id) => ({ type: 'history', id, channel: this.name, ...range }),
      { timeoutMs, readOnly: true },
    );
    const messages = reply.messages.map((item) => messageOfHistory(this.name, item) as DurableMessage<T>);
    return { messages, more: reply.more };
  }
}

/**
 * Only the position of what may be a whole message.
 * @throws {FanfareClientError} `bad_request` if it is none, as a message of a live channel.
 */
export function positionOf({ epoch, offset }: Position | Message): Position {
  const position = { epoch, offset };
  if (!isPosition(position)) throw new FanfareClientError('bad_request', 'not a position, nor a durable message');
  return position;
}

function checkStart({ since, rewind, rewindMs }: SubscribeOptions): void {
  if ([since, rewind, rewindMs].filter((start) => start !== undefined).length > 1) {
    throw new FanfareClientError('bad_request', 'at most one of since, rewind, rewindMs');
  }
  for (const count of [rewind, rewindMs]) {
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0)) {
      throw new FanfareClientError('bad_request', `a start must be an integer from 0 on, not ${count}`);
    }
  }
}
