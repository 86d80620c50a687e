import type { ConnectedFrame } from '@fanfare/protocol';
import type { Channel, ChannelByKind } from './channel-types.js';
import type { ChannelName } from './channels/patterns.js';
import type { Completed, PatternOf, SpecIn } from './channels/resolve.js';
import type { SpecOf } from './channels/spec.js';
import type { ConnectionState, StateChange } from './connection.js';
import type { FanfareClientError } from './errors.js';
import type { Stats } from './stats.js';

/** What a client tells by `client.on(name, listener)`. */
export interface ClientEvents {
  /** The connection has changed. Every step is told, with its reason and the delay to the next attempt. */
  state: StateChange;
  /**
   * Something went wrong that no call or subscription could be told: a connection was refused (`state` is `failed`
   * then), the first attempt has failed (`unreachable`, told once, because the address may be wrong), a token could not be
   * fetched, or a listener threw. Lost connections are no errors but `state` events. Without a listener errors go to the
   * option `log`, as does what listeners of this event throw.
   */
  error: FanfareClientError;
}

/** What every client has, whether its channels are declared or not. */
export interface BaseClient {
  /** What the connection is now. `on('state', …)` tells each change. */
  readonly state: ConnectionState;
  /** What the gateway said of this connection. It is there while the state is `connected`. */
  readonly session: ConnectedFrame | undefined;
  /** What was counted since the client was made, over all its connections. */
  readonly stats: Readonly<Stats>;
  /**
   * Connects, and stays connected until `close()`. Subscriptions and publishes wait by themselves. While a
   * reconnection waits, this makes it at once.
   */
  connect(): void;
  /**
   * Resolves once it is connected, however many attempts that takes, and at once if it is.
   * @throws {FanfareClientError} as a rejection, when it is refused for good or `closed`, and at once while it is either.
   */
  ready(): Promise<void>;
  /**
   * Ends the connection, every subscription and `for await` loop, and every open request: await
   * publishes first. What is asked of the client afterwards fails at once with `closed`, until
   * `connect()` begins anew, without them.
   */
  close(): void;
  /** Adds a listener, and returns a function that removes it. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => unknown): () => void;
}

/** A client without a map of channels: names are any, and data is what the caller says it is. */
export interface UntypedClient extends BaseClient {
  /**
   * Returns a channel, which costs nothing until it is used.
   * @throws {FanfareClientError} `bad_request` if the name is no channel name (1 to 255 bytes without spaces and control
   * characters).
   */
  channel<T = unknown>(name: string): Channel<T>;
}

/** A client whose channels are declared: names, kinds, data and tags are checked by the compiler. */
export interface TypedClient<Map> extends BaseClient {
  /**
   * Returns the channel of a name, as in `channel('chat:1')`. If the name is computed, as in `channel(\`chat:${id}\`)`, every
   * key that may fit counts for its types.
   * @throws {FanfareClientError} `bad_request` if the name is no channel name, or no key fits it.
   */
  channel<const Name extends ChannelName<Map>>(name: Name): ChannelByKind<Name, SpecIn<Map, Name>>;
  /**
   * Returns a channel of this pattern, whose `*` stands for `rest`, as in `channel('chat:*', id)`.
   * @throws {FanfareClientError} `bad_request` if another key fits the name better.
   */
  channel<const Key extends PatternOf<Map>, const Rest extends string>(
    pattern: Key,
    rest: Rest,
  ): ChannelByKind<Completed<Key, Rest>, SpecOf<Map[Key]>>;
  /** Returns a channel whose name is known at run time only, and that gives data as it comes. */
  untyped<T = unknown>(name: string): Channel<T>;
}

/** What stands for the map of a client that has none. */
export interface Untyped {
  /** Every name, with data of which nothing is known. */
  readonly '*': unknown;
}
/** A client of one gateway, or of many behind one address. `Client<typeof channels>` is that of a map. */
export type Client<Map = Untyped> = [Untyped] extends [Map] ? UntypedClient : TypedClient<Map>;
