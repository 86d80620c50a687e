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
 * How a subscription begins and reads. At most one of `since`, `rewind` and `rewindMs`; none: what is published from
 * now on.
 */
export interface SubscribeOptions {
  /** Go on after this position, e.g. that of an earlier subscription, or a durable message. Durable channels only. */
  readonly since?: Position | Message | undefined;
  /** Begin with the last n messages. Durable channels only. */
  readonly rewind?: number | undefined;
  /** Begin with the messages of the last n ms. Durable channels only. */
  readonly rewindMs?: number | undefined;
  /** Messages that may wait for a `for await` loop before the subscription pauses. Default: the client's. */
  readonly maxQueue?: number | undefined;
  /**
   * The name under which its position is kept, so that it goes on from there after a reload or a restart; until something is kept
   * it begins as without. The client has to have `positions`. A channel has each name once. Durable channels only.
   */
  readonly resumeAs?: string | undefined;
  /** Of one with a name: when its position is kept. Default `handled`. */
  readonly commit?: Commit | undefined;
  /**
   * A JWT for this channel, or a function that fetches one: called before the channel is subscribed, before the token expires
   * and once it has. What it allows adds to what the connection may. Subscriptions of a channel share the newest.
   */
  readonly token?: Token | undefined;
  /** Be listed as a member of the channel, and know of the others: {@link Reading.presence}. Default false. */
  readonly presence?: boolean | undefined;
}

/**
 * Which page of the log to read: with `after` the messages that follow it, with `before` those that lead to it, with
 * neither the newest.
 */
export interface HistoryOptions {
  /** The first messages after this position or durable message. Not together with `before`. */
  readonly after?: Position | Message | undefined;
  /** The last messages before this position or durable message. Not together with `after`. */
  readonly before?: Position | Message | undefined;
  /** Most messages of the page, from 1 on; the gateway may give fewer. Default 100. */
  readonly limit?: number | undefined;
  /** How long the call may take, waiting for a connection included, ms. Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** How `channel.presence()` reads the list. */
export interface PresenceOptions {
  /** How long each page of the list may take, ms. Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** Messages of the log, and where they stand in it. */
export interface HistoryPage<M = DurableMessage> {
  /** In log order. */
  readonly messages: readonly M[];
  /** Whether the log goes on in that direction. */
  readonly more: boolean;
  /**
   * Where the log ended when it was read, offset 0 if it was empty: `subscribe({ since: head })` follows without a gap.
   */
  readonly head: Position;
}

/** A live channel has no log to start in. */
export interface LiveSubscribeOptions extends SubscribeOptions {
  readonly since?: never;
  readonly rewind?: never;
  readonly rewindMs?: never;
  readonly resumeAs?: never;
}
/**
 * Options of a publish to a channel of this declaration: only the tags that it declares, with the values that they may
 * have.
 */
export interface PublishOptionsOf<Spec> extends PublishOptions {
  readonly tags?: (OwnTags<Spec> & Tags) | undefined;
}
/** What a publish to a channel of this declaration resolves with: the position too, unless the channel is live. */
export type Published<Spec extends AnySpec> = Omit<PublishResult, keyof Position> &
  (Spec extends { readonly kind: 'live' } ? unknown : Position);

interface BaseChannel<Spec extends AnySpec, M, Events, Options> {
  /** As it was declared: `durable`, `live` or `stream`. */
  readonly kind: KindOf<Spec>;
  /**
   * Begins a subscription; it may be made before `connect()`. Without a start it begins with what is published from now
   * on. Read it by a handler, by `on('message')` or by `for await`. Its `presence` is there if the options ask for it.
   * @throws {FanfareClientError} `bad_request` (more than one start, a start that is none, or `maxQueue` under 1).
   */
  subscribe<P extends boolean = false>(
    options?: Options & AskedPresence<P>,
  ): Reading<M, Events, PresenceIf<P, InfoOf<Spec>>>;
  /** Begins one that calls the handler for each message. */
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
   * Who is on the channel now, whether we are or not: all pages of the list.
   * @throws {FanfareClientError} as a rejection: `timeout`, `forbidden`, `bad_request` (the namespace has no presence), ...
   */
  presence(options?: PresenceOptions): Promise<readonly PresentMember<InfoOf<Spec>>[]>;
}

/** A channel that is declared live: messages pass once, to who is there. It has no history and no positions. */
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
   * Reads the log. Messages that the channel's schema does not allow are left out, and told by the client's `error`.
   * @throws {FanfareClientError} as a rejection: `timeout`, `forbidden`, ...; `bad_request` with a `reason`
   * if the position cannot be used: `expired`, `unrecoverable` or `diverged`.
   */
  history(options?: HistoryOptions): Promise<HistoryPage<M>>;
  /**
   * A snapshot, and every message after it applied once and in order; loaded again by itself where continuity breaks.
   * The way to use a durable channel that cannot be used wrongly.
   */
  state<State>(options: StateOptions<State, M>): ChannelState<State>;
}

/** A channel of messages that grow. */
export interface StreamChannel<Name extends string, Spec extends AnySpec> extends DurableChannel<Name, Spec> {}

/** A channel of which nothing is declared. Costs nothing until used. */
export interface Channel<T = unknown> {
  /** The whole name. */
  readonly name: string;
  /** @see DurableChannel.subscribe */
  subscribe<P extends boolean = false>(options?: SubscribeOptions & AskedPresence<P>): Subscription<T, PresenceIf<P>>;
  /** Begins one that calls the handler for each message. */
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
