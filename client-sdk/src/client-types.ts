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
  /** The connection has changed: every step, with its reason and the delay to the next attempt. */
  state: StateChange;
  /**
   * What no call or subscription could be told: refused connections (`state` is `failed` then), a
   * first attempt that failed (`unreachable`, told once: the address may be wrong), a token that could
   * not be fetched, what listeners threw. Lost connections are no errors; they are `state` events. Without a listener errors go to `console.error`, as does what listeners of this
   * event throw.
   */
  error: FanfareClientError;
}

/** What every client has, whether its channels are declared or not. */
export interface BaseClient {
  /** What the connection is now; `on('state', …)` tells each change. */
  readonly state: ConnectionState;
  /** What the gateway said of this connection; while `connected`. */
  readonly session: ConnectedFrame | undefined;
  /** Counts since the client was made, of all its connections. */
  readonly stats: Readonly<Stats>;
  /**
   * Connects, and stays connected until `close()`. Subscriptions and publishes wait by themselves. While a
   * reconnection waits, this makes it at once.
   */
  connect(): void;
  /**
   * Resolves once connected, however many attempts it takes; at once if it is.
   * @throws {FanfareClientError} as a rejection: refused for good, or `closed`; at once while it is either.
   */
  ready(): Promise<void>;
  /**
   * Ends the connection, every subscription and `for await` loop, and every open request: await
   * publishes first. What is asked of the client afterwards fails at once with `closed`, until
   * `connect()` begins anew, without them.
   */
  close(): void;
  /** Adds a listener and returns what removes it. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => unknown): () => void;
}

/** A client without a map of channels: names are any, data is what the caller says it is. */
export interface UntypedClient extends BaseClient {
  /** @throws {FanfareClientError} `bad_request` if the name is no channel name. */
  channel<T = unknown>(name: string): Channel<T>;
}

/** A client whose channels are declared: names, kinds, data and tags are checked by the compiler. */
export interface TypedClient<Map> extends BaseClient {
  /**
   * `channel('chat:1')`; of a computed name, `channel(\`chat:${id}\`)`, every key that may fit counts.
   * @throws {FanfareClientError} `bad_request` if the name is no channel name, or no key fits it.
   */
  channel<const Name extends ChannelName<Map>>(name: Name): ChannelByKind<Name, SpecIn<Map, Name>>;
  /**
   * `channel('chat:*', id)`: this pattern, completed.
   * @throws {FanfareClientError} `bad_request` if another key fits the name better.
   */
  channel<const Key extends PatternOf<Map>, const Rest extends string>(
    pattern: Key,
    rest: Rest,
  ): ChannelByKind<Completed<Key, Rest>, SpecOf<Map[Key]>>;
  /** A name known at run time only, with data as it comes. */
  untyped<T = unknown>(name: string): Channel<T>;
}

/** What stands for the map of a client that has none. */
export interface Untyped {
  /** Every name, with data of which nothing is known. */
  readonly '*': unknown;
}
/** A client of one gateway, or of many behind one address. `Client<typeof channels>` is that of a map. */
export type Client<Map = Untyped> = [Untyped] extends [Map] ? UntypedClient : TypedClient<Map>;
