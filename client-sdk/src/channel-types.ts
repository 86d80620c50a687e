import type { Position, Tags } from '@fanfare/protocol';
import type { ChannelState, StateOptions } from './channel-state.js';
import type { AnySpec, InOf, KindOf } from './channels/spec.js';
import type { Token } from './connection.js';
import type { DurableMessage, Message, MessageOf, OwnTags } from './message.js';
import type { Commit } from './positions/named.js';
import type { AskedPresence, InfoOf, PresenceIf, PresentMember } from './presence.js';
import type { PublishOptions, PublishResult } from './publishing.js';
import type { DurableEvents, LiveEvents, Reading, Subscription } from './subscription-types.js';

/**
 * How a subscription begins and reads. At most one of `since`, `rewind` and `rewindMs` may be given. Without them it
 * begins with what is published from now on.
 */
export interface SubscribeOptions {
  /**
   * It goes on after this position, such as that of an earlier subscription, or after this durable message. Only durable
   * channels have positions.
   */
  readonly since?: Position | Message | undefined;
  /** It begins with so many of the last messages, from 0 on. Only durable channels have them. */
  readonly rewind?: number | undefined;
  /** It begins with the messages of so many last ms, from 0 on. Only durable channels have them. */
  readonly rewindMs?: number | undefined;
  /** So many messages may wait for a `for await` loop before the subscription pauses, from 1 on. The default is the client's. */
  readonly maxQueue?: number | undefined;
  /**
   * Its position is kept under this name, so that it goes on from there after a reload or a restart. Until a position is
   * kept, it begins as it would without a name. The client has to have the option `positions`, and a channel has each
   * name once. Only durable channels have positions.
   */
  readonly resumeAs?: string | undefined;
  /** When the position of a subscription with a name is kept. The default is `handled`. */
  readonly commit?: Commit | undefined;
  /**
   * A JWT for this channel, or a function that fetches one. The function is called before the channel is subscribed,
   * before the token expires, and once it has expired. What the token allows adds to what the connection may. The
   * subscriptions of a channel share the newest token.
   */
  readonly token?: Token | undefined;
  /**
   * Whether we are listed as a member of the channel and know of the others, by {@link Reading.presence}. The default is
   * false.
   */
  readonly presence?: boolean | undefined;
}

/**
 * Which page of the log is read: with `after` the messages that follow it, with `before` those that lead to it, and with
 * neither the newest. Both together are a `bad_request`.
 */
export interface HistoryOptions {
  /** The page has the first messages after this position or durable message. */
  readonly after?: Position | Message | undefined;
  /** The page has the last messages before this position or durable message. */
  readonly before?: Position | Message | undefined;
  /** The page has at most so many messages, from 1 on, and the gateway may give fewer. The default is 100. */
  readonly limit?: number | undefined;
  /** The call may take so long with the wait for a connection, ms. The default is `requestTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined;
}

/** How `channel.presence()` reads the list of members. */
export interface PresenceOptions {
  /** Each page of the list may take so long, ms. The default is `requestTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined;
}

/** A page of the log: messages that follow each other, and where the log ended when it was read. */
export interface HistoryPage<M = DurableMessage> {
  /** The messages, in the order of the log. */
  readonly messages: readonly M[];
  /** Whether the log goes on beyond this page, in the direction in which it was read. */
  readonly more: boolean;
  /**
   * Where the log ended when it was read, with offset 0 if it was empty. `subscribe({ since: head })` follows without a
   * gap.
   */
  readonly head: Position;
}

/** How a subscription to a live channel reads. Such a channel has no log, so no start in it can be given. */
export interface LiveSubscribeOptions extends SubscribeOptions {
  readonly since?: never;
  readonly rewind?: never;
  readonly rewindMs?: never;
  readonly resumeAs?: never;
}
/**
 * What may be said of a message to a channel of this declaration. Its tags are those that the declaration names, with
 * the values that they may have.
 */
export interface PublishOptionsOf<Spec> extends PublishOptions {
  readonly tags?: (OwnTags<Spec> & Tags) | undefined;
}
/** What a publish to a channel of this declaration resolves with: the position too, unless the channel is live. */
export type Published<Spec extends AnySpec> = Omit<PublishResult, keyof Position> &
  (Spec extends { readonly kind: 'live' } ? unknown : Position);

interface BaseChannel<Spec extends AnySpec, M, Events, Options> {
  /** What it was declared as: `durable`, `live` or `stream`. */
  readonly kind: KindOf<Spec>;
  /**
   * Begins a subscription; it may be made before `connect()`. Without a start it begins with what is published from now
   * on. Read it by a handler, by `on('message')` or by `for await`. Its `presence` is there if the options ask for it.
   * @throws {FanfareClientError} `bad_request` (more than one start, a start that is none, or `maxQueue` under 1).
   */
  subscribe<P extends boolean = false>(
    options?: Options & AskedPresence<P>,
  ): Reading<M, Events, PresenceIf<P, InfoOf<Spec>>>;
  /** Begins a subscription that calls the handler for each message. The options are the same. */
  subscribe<P extends boolean = false>(
    handler: ((message: M) => unknown) | undefined,
    options?: Options & AskedPresence<P>,
  ): Reading<M, Events, PresenceIf<P, InfoOf<Spec>>>;
  /**
   * Publishes, and resolves once it is in the log, with its position (none on live channels). Waits
   * for a connection; tries again after refusals that may pass, and after a lost connection if it has
   * a key. `data` is encoded at once. Publishes of one client go out in call order; one that was
   * refused for the moment may be overtaken by later ones: await each where order matters.
   *
   * @throws {FanfareClientError} as a rejection: `outcome_unknown` (it may or may not be in the log),
   * `timeout` (it is not), `invalid_data`, `too_large`, `bad_request`, `forbidden`, `limit_exceeded`, `closed`, ...
   */
  publish(data: InOf<Spec>, options?: PublishOptionsOf<Spec>): Promise<Published<Spec>>;
  /**
   * Reads who is on the channel now, whether we are or not, and resolves with all pages of the list as one.
   * @throws {FanfareClientError} as a rejection: `timeout`, `forbidden`, `bad_request` (the namespace has no presence), ...
   */
  presence(options?: PresenceOptions): Promise<readonly PresentMember<InfoOf<Spec>>[]>;
}

/**
 * A channel that is declared live: each message passes once, to those who are there. It has no history and no positions.
 */
export interface LiveChannel<Name extends string, Spec extends AnySpec, M = MessageOf<Spec>>
  extends BaseChannel<Spec, M, LiveEvents<M>, LiveSubscribeOptions> {
  /** The whole name, without a pattern in it. */
  readonly name: Name;
}

/** A channel that is declared durable: each message has a position in its log. */
export interface DurableChannel<Name extends string, Spec extends AnySpec, M = MessageOf<Spec>>
  extends BaseChannel<Spec, M, DurableEvents<M>, SubscribeOptions> {
  /** The whole name, without a pattern in it. */
  readonly name: Name;
  /**
   * Reads a page of the log. Messages that the channel's schema does not allow are left out, and `error` of the client
   * tells of them.
   * @throws {FanfareClientError} as a rejection: `timeout`, `forbidden`, ...; `bad_request` with a `reason`
   * if the position cannot be used: `expired`, `unrecoverable` or `diverged`.
   */
  history(options?: HistoryOptions): Promise<HistoryPage<M>>;
  /**
   * Returns a state that is loaded as a snapshot, and has every message after it applied once and in order. It is loaded
   * again by itself where continuity breaks, so this way to use a durable channel cannot be used wrongly.
   */
  state<State>(options: StateOptions<State, M>): ChannelState<State>;
}

/** A channel that is declared as a stream: durable, with messages that grow by appending. */
export interface StreamChannel<Name extends string, Spec extends AnySpec> extends DurableChannel<Name, Spec> {}

/** A channel of which nothing is declared. It costs nothing until it is used. */
export interface Channel<T = unknown> {
  /** The whole name, without a pattern in it. */
  readonly name: string;
  /** @see DurableChannel.subscribe */
  subscribe<P extends boolean = false>(options?: SubscribeOptions & AskedPresence<P>): Subscription<T, PresenceIf<P>>;
  /** Begins a subscription that calls the handler for each message. The options are the same. */
  subscribe<P extends boolean = false>(
    handler: ((message: Message<T>) => unknown) | undefined,
    options?: SubscribeOptions & AskedPresence<P>,
  ): Subscription<T, PresenceIf<P>>;
  /** @see DurableChannel.publish */
  publish(data: T, options?: PublishOptions): Promise<PublishResult>;
  /** @see DurableChannel.history */
  history(options?: HistoryOptions): Promise<HistoryPage<DurableMessage<T>>>;
  /** @see DurableChannel.state */
  state<State>(options: StateOptions<State, DurableMessage<T>>): ChannelState<State>;
  /** @see DurableChannel.presence */
  presence(options?: PresenceOptions): Promise<readonly PresentMember[]>;
}

/**
 * What `client.channel(name)` returns: {@link LiveChannel}, {@link StreamChannel} or {@link DurableChannel}, by the
 * kind that was declared.
 */
export type ChannelByKind<Name extends string, Spec extends AnySpec> = Spec extends { readonly kind: infer K }
  ? K extends 'live'
    ? LiveChannel<Name, Spec>
    : K extends 'stream'
      ? StreamChannel<Name, Spec>
      : DurableChannel<Name, Spec>
  : never;
