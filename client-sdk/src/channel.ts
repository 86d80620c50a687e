import { isChannelName, type Position } from '@fanfare/protocol';
import { isPosition } from '@fanfare/protocol/validate';
import type { BackoffOptions } from './backoff.js';
import { type ChannelState, FollowedState, type StateHost, type StateOptions } from './channel-state.js';
import type { Channel, HistoryOptions, HistoryPage, PresenceOptions, SubscribeOptions } from './channel-types.js';
import type { Declaration } from './channels/declared.js';
import type { Kind } from './channels/spec.js';
import { checkNumber } from './check-number.js';
import type { Clock } from './clock.js';
import { badRequest } from './errors.js';
import { type DurableMessage, type Message, messageOfHistory } from './message.js';
import { type PresentMember, readPresence } from './presence.js';
import type { Publisher, PublishOptions, PublishResult } from './publishing.js';
import type { Requests } from './requests.js';
import { Roster } from './roster.js';
import type { Subscription } from './subscription-types.js';

/** What a channel needs of its client. */
export interface ChannelHost {
  readonly publisher: Publisher;
  readonly requests: Requests;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly backoff: BackoffOptions;
  /** Whether schemas check what is published too. */
  readonly checksPublishes: boolean;
  subscribe(
    channel: string,
    declared: Declaration | undefined,
    handler: ((message: Message) => unknown) | undefined,
    options: SubscribeOptions,
  ): Subscription;
  readonly onOutage: StateHost['onOutage'];
  readonly onError: StateHost['onError'];
}

type Handler = (message: Message) => unknown;

/** A name to subscribe and to publish to, and what is declared of it. Its types are in `channel-types.ts`. */
export class ChannelHandle implements Channel {
  readonly name: string;
  readonly kind: Kind | undefined;
  readonly #host: ChannelHost;
  readonly #declared: Declaration | undefined;

  /** @throws {FanfareClientError} `bad_request` if the name is no channel name (1-255 bytes, no spaces, no control characters). */
  constructor(name: string, host: ChannelHost, declared?: Declaration) {
    if (!isChannelName(name)) throw badRequest(`not a channel name: ${JSON.stringify(name)}`);
    this.name = name;
    this.kind = declared?.kind;
    this.#host = host;
    this.#declared = declared;
  }

  subscribe(first?: Handler | SubscribeOptions, second?: SubscribeOptions): Subscription {
    const [handler, options = {}] = typeof first === 'object' ? [undefined, first] : [first, second];
    checkStart(options);
    if (options.maxQueue !== undefined) checkNumber('maxQueue', options.maxQueue, 1);
    return this.#host.subscribe(this.name, this.#declared, handler, options);
  }

  async publish(data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    const result = this.#host.checksPublishes ? this.#declared?.parse?.(data) : undefined;
    if (result?.issues) throw result.error;
    return await this.#host.publisher.publish(this.name, data, options);
  }

  async history(options: HistoryOptions = {}): Promise<HistoryPage> {
    const { after, before, limit, timeoutMs = this.#host.timeoutMs } = options;
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
    const messages = reply.messages.map((item) => messageOfHistory(this.name, item));
    return { messages: messages.flatMap((message) => this.#parsed(message)), more: reply.more, head: reply.head };
  }

  state<State>(options: StateOptions<State, DurableMessage>): ChannelState<State> {
    const host: StateHost = {
      ...this.#host,
      channel: this.name,
      subscribe: (handler, since) => this.subscribe(handler, { since }),
    };
    return new FollowedState(host, options as StateOptions<State, Message>);
  }

  async presence({ timeoutMs = this.#host.timeoutMs }: PresenceOptions = {}): Promise<readonly PresentMember[]> {
    checkNumber('timeoutMs', timeoutMs, 1);
    // A member may stand on two pages of the list, because members come and go meanwhile.
    const roster = new Roster(() => {});
    await readPresence(this.#host.requests, this.name, timeoutMs, ({ members, rev }) => roster.onPage(members, rev));
    return roster.members;
  }

  #parsed(message: DurableMessage): DurableMessage[] {
    const result = this.#declared?.parse?.(message.data);
    if (result === undefined) return [message];
    if (result.issues === undefined) return [{ ...message, data: result.value }];
    this.#host.onError(result.error);
    return [];
  }
}

/**
 * Returns the position of what may be a whole message.
 * @throws {FanfareClientError} `bad_request` if it has none, as a message of a live channel
 */
export function positionOf({ epoch, offset }: Position | Message): Position {
  const position = { epoch, offset };
  if (!isPosition(position)) throw badRequest('not a position, nor a durable message');
  return position;
}

function checkStart({ since, rewind, rewindMs }: SubscribeOptions): void {
  if ([since, rewind, rewindMs].filter((start) => start !== undefined).length > 1) {
    throw badRequest('at most one of since, rewind, rewindMs');
  }
  for (const count of [rewind, rewindMs]) {
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0)) {
      throw badRequest(`a start must be an integer from 0 on, not ${count}`);
    }
  }
}
