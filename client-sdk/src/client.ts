import type { ConnectedFrame, Position, ServerFrame } from '@fanfare/protocol';
import { ChannelHandle, type ChannelHost, positionOf } from './channel.js';
import { ChannelTokens } from './channel-tokens.js';
import type { Channel, SubscribeOptions } from './channel-types.js';
import { checkDeclared, type Declaration, type Declared, declarationOf } from './channels/declared.js';
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './client-options.js';
import type { BaseClient, ClientEvents, TypedClient, UntypedClient } from './client-types.js';
import type { Cancel } from './clock.js';
import { Connection, type ConnectionState, type StateChange } from './connection.js';
import { Emitter } from './emitter.js';
import {
  badRequest,
  closedError,
  errorOfFrame,
  errorOfLoss,
  type FanfareClientError,
  handlerFailed,
  withoutQuery,
} from './errors.js';
import type { Message } from './message.js';
import { watchNetwork } from './network.js';
import { KEEP, type NamedPositions } from './positions/named.js';
import { Publisher } from './publishing.js';
import { Pulse } from './pulse.js';
import { Requests } from './requests.js';
import { Rosters } from './rosters.js';
import { createStats } from './stats.js';
import { LocalSubscription } from './subscription.js';
import type { Subscription } from './subscription-types.js';
import { Subscriptions } from './subscriptions.js';
import { TokenRenewal } from './token-renewal.js';
import { Waiters } from './waiters.js';

/**
 * With a map of channels, `createClient({ url, channels })`, or with types alone, `createClient<Channels>({ url })`;
 * with neither, names are any.
 * @throws {FanfareClientError} `bad_request` if an option is wrong. Nothing is opened before `connect()`.
 */
export function createClient<Map extends object>(
  options: ClientOptions & {
    /** What {@link defineChannels} returned. */
    readonly channels: Map;
  },
): TypedClient<Map>;
export function createClient(options: ClientOptions): UntypedClient;
export function createClient<Map>(options: ClientOptions): TypedClient<Map>;
export function createClient(options: ClientOptions & { readonly channels?: object }): BaseClient {
  return new FanfareClient(resolveOptions(options), checkDeclared(options.channels));
}

/** Puts the roles together. Each of them knows nothing of the others. */
class FanfareClient implements UntypedClient {
  readonly stats = createStats();
  readonly #options: ResolvedOptions;
  readonly #channels: Declared | undefined;
  readonly #events: Emitter<ClientEvents>;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #subscriptions: Subscriptions;
  readonly #rosters: Rosters;
  readonly #tokens: ChannelTokens;
  readonly #renewal: TokenRenewal;
  readonly #positions: NamedPositions | undefined;
  readonly #host: ChannelHost;
  readonly #readers = new Set<LocalSubscription>();
  #session: ConnectedFrame | undefined;
  /** Why the client is `closed` or has `failed`. */
  #ended: FanfareClientError | undefined;
  #connections = 0;
  #attempted = false;
  #lastId = 0;
  readonly #waiters = new Waiters();
  #cancelNetwork: Cancel | undefined;

  constructor(options: ResolvedOptions, channels: Declared | undefined) {
    this.#options = options;
    this.#channels = channels;
    const onError = (error: FanfareClientError) => this.#onError(error);
    // Each role takes what it needs of this.
    const wiring = {
      ...options,
      dialect: options.codec,
      timeoutMs: options.requestTimeoutMs,
      stats: this.stats,
      pulse: new Pulse(options.clock),
      nextId: () => ++this.#lastId,
      send: (wire: string | Uint8Array) => this.#connection.send(wire),
      onError,
    };
    this.#events = new Emitter((cause, event) => {
      const error = handlerFailed(cause);
      // A listener of errors that fails itself is not told of that, because that would have no end.
      if (event === 'error') this.#report(error);
      else onError(error);
    });
    const requests = new Requests(wiring);
    const asking = { ...wiring, requests };
    this.#requests = requests;
    this.#subscriptions = new Subscriptions(wiring);
    this.#rosters = new Rosters({ ...asking, onThrow: (cause) => onError(handlerFailed(cause)) });
    this.#tokens = new ChannelTokens(asking);
    this.#renewal = new TokenRenewal(asking);
    this.#positions = options.positions?.[KEEP](wiring);
    this.#connection = new Connection(
      { ...wiring, isOwedAnswer: () => requests.unanswered || this.#subscriptions.unanswered },
      {
        onGreeting: () => this.#subscriptions.onGreeting(),
        onConnected: (frame) => this.#onConnected(frame),
        onFrame: (frame) => this.#onFrame(frame),
        onDown: () => this.#onDown(),
        onState: (change) => this.#onState(change),
        onError,
      },
    );
    this.#host = {
      ...asking,
      publisher: new Publisher(asking),
      checksPublishes: options.validate === 'both',
      subscribe: (...args) => this.#subscribe(...args),
      onOutage: (listener) => {
        if (this.#ended) queueMicrotask(() => this.#ended && listener(this.#ended));
        return this.on('state', ({ state }) => state !== 'connected' && listener(this.#ended));
      },
    };
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get session(): ConnectedFrame | undefined {
    return this.#session;
  }

  connect(): void {
    this.#cancelNetwork ??= watchNetwork(
      () => this.#connection.check(),
      () => this.#connection.lose(),
    );
    this.#connection.connect();
  }

  ready(): Promise<void> {
    if (this.state === 'connected') return Promise.resolve();
    if (this.#ended) return Promise.reject(this.#ended);
    return this.#waiters.wait();
  }

  close(): void {
    this.#cancelNetwork?.();
    this.#cancelNetwork = undefined;
    this.#connection.close();
    this.#leaveAll();
  }

  channel<T = unknown>(key: string, rest?: string): Channel<T> {
    const name = rest === undefined ? key : key.slice(0, -1) + rest;
    if (this.#channels === undefined) return this.untyped(name);
    const declared = declarationOf(this.#channels, name);
    if (rest !== undefined && declared.key !== key)
      throw badRequest(`${name} is a channel of ${declared.key}, not of ${key}`);
    return new ChannelHandle(name, this.#host, declared) as Channel<unknown> as Channel<T>;
  }

  untyped<T = unknown>(name: string): Channel<T> {
    return new ChannelHandle(name, this.#host) as Channel<unknown> as Channel<T>;
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener);
  }

  #subscribe(
    channel: string,
    declared: Declaration | undefined,
    handler: ((message: Message) => unknown) | undefined,
    options: SubscribeOptions,
  ): Subscription {
    const { since, rewind, rewindMs, maxQueue = this.#options.maxQueue, presence = false, token, resumeAs } = options;
    const positions = this.#positions;
    if (resumeAs !== undefined && !positions) throw badRequest('resumeAs needs the option positions');
    const position = since && positionOf(since);
    const ownToken = token === undefined ? undefined : this.#tokens.open(channel, token);
    const reader = new LocalSubscription({
      channel,
      handler: resumeAs === undefined ? handler : undefined,
      since: position,
      maxQueue,
      declared: this.#options.validate === 'none' ? undefined : declared,
      presence: presence ? this.#rosters.open(channel) : undefined,
      onThrow: (cause) => this.#onError(handlerFailed(cause, channel)),
      onError: (error) => this.#onError(error),
      onEnd: (ended) => {
        this.#readers.delete(ended);
        if (ended.presence) this.#rosters.close(channel);
        if (ownToken) this.#tokens.close(channel);
        positions?.onEnd(ended);
      },
    });
    this.#readers.add(reader);
    if (this.#ended) reader.onNoConnection(this.#ended);
    const join = (from?: Position) => {
      if (from) reader.position = from;
      else if (rewind !== undefined) reader.start = { rewind };
      else if (rewindMs !== undefined) reader.start = { rewindMs };
      const feed = this.#subscriptions.join(channel, reader, ownToken);
      reader.attach(feed);
      if (presence && feed.present) this.#rosters.onPresent(channel);
    };
    if (resumeAs !== undefined && positions) {
      const fail = (error: FanfareClientError) => reader.onFailed(error);
      return positions.open({ name: resumeAs, commit: options.commit, handler, reader, join, fail });
    }
    join();
    return reader;
  }

  #onConnected(frame: ConnectedFrame): void {
    this.#attempted = true;
    this.#session = frame;
    if (++this.#connections > 1) this.stats.reconnects++;
    this.#requests.onConnected(frame);
    this.#positions?.onConnected(frame.user);
    this.#renewal.onConnected(frame);
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.type === 'error' && frame.id === undefined) {
      if (frame.code === 'rate_limited') {
        this.#requests.holdFor(frame.retryAfter);
        this.#subscriptions.holdFor(frame.retryAfter);
      }
      this.#onError(errorOfFrame(frame));
    } else if (!this.#requests.onReply(frame)) {
      if (frame.type === 'subscribed') this.#host.publisher.learn(frame.channel, frame.durable);
      this.#subscriptions.onFrame(frame);
      this.#rosters.onFrame(frame);
      this.#tokens.onFrame(frame);
    }
  }

  #onDown(): void {
    this.#session = undefined;
    this.#renewal.onDown();
    this.#requests.onDown();
    this.#subscriptions.onDown();
    this.#rosters.onDown();
    this.#tokens.onDown();
  }

  #onState(change: StateChange): void {
    const { state } = change;
    if (state === 'connected') this.#waiters.settle();
    if (state === 'connecting') this.#begin();
    if (state === 'closed') {
      this.#leaveAll();
      this.#end(closedError());
    }
    if (state === 'failed' && change.error) this.#end(change.error);
    this.#events.emit('state', change);
    if (state === 'waiting') this.#onWaiting(change);
  }

  #onWaiting({ code, reason, error, retryInMs }: StateChange): void {
    const why = error ?? errorOfLoss(this.#options.url, code, reason, retryInMs);
    this.#requests.onFailure(why);
    // An application that got the address wrong would otherwise wait for ever without being told.
    if (!this.#attempted && error === undefined) this.#onError(why);
    this.#attempted = true;
  }

  #leaveAll(): void {
    for (const reader of [...this.#readers]) reader.unsubscribe();
  }

  #begin(): void {
    this.#ended = undefined;
    this.#requests.begin();
    for (const reader of this.#readers) reader.onConnecting();
  }

  /** There will be no connection until the application asks for one, so nothing is to wait for it. */
  #end(error: FanfareClientError): void {
    this.#ended = error;
    this.#waiters.settle(error);
    this.#requests.end(error);
    for (const reader of this.#readers) reader.onNoConnection(error);
  }

  #onError(error: FanfareClientError): void {
    if (this.#events.has('error')) this.#events.emit('error', error);
    else this.#report(error);
  }

  /** Logs an error as one line, and behind it what a listener threw. */
  #report({ code, message, cause, retryable }: FanfareClientError): void {
    const { log, url } = this.#options;
    if (!log) return;
    const next = this.#ended ? 'nothing more until connect()' : retryable ? 'tried again' : 'the client goes on';
    const said = code === 'unreachable' ? message : `${withoutQuery(url)}: ${message}; ${next}`;
    log(`[fanfare] ${code}: ${said}`, ...(code === 'handler_failed' ? [cause] : []));
  }
}
