import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { StateOptions } from '../channel-state.js';
import type { Channel, SubscribeOptions } from '../channel-types.js';
import type { ChannelName } from '../channels/patterns.js';
import type { DurableName, SpecIn } from '../channels/resolve.js';
import type { AnySpec } from '../channels/spec.js';
import type { BaseClient, Client, Untyped, UntypedClient } from '../client-types.js';
import { badRequest } from '../errors.js';
import type { MessageOf } from '../message.js';
import type { InfoOf } from '../presence.js';
import { constantStore, type Store } from '../store/lazy-store.js';
import {
  type ChannelStateView,
  type ConnectionView,
  channelStateStore,
  connectionStore,
  type LatestOptions,
  latestStore,
  type MessagesOptions,
  type MessagesView,
  messagesStore,
  NO_MESSAGES,
  NOBODY,
  OFF,
  type PresenceView,
  presenceStore,
  type SubscriptionView,
  subscriptionStore,
} from '../store/stores.js';

/** The messages of a channel of that name. */
export type MessageIn<Map, Name extends string> =
  SpecIn<Map, Name> extends infer S extends AnySpec ? MessageOf<S> : never;
/** What members of a channel of that name show of themselves. */
type InfoIn<Map, Name extends string> = InfoOf<SpecIn<Map, Name>>;

/** What `FanfareProvider` is given. */
export interface ProviderProps<Map> {
  /**
   * A client that the application keeps, or a function that makes one and is called once. The client is connected while
   * the provider is mounted. When the provider goes, one that it has made is closed, and another is left as it is.
   */
  readonly client: Client<Map> | (() => Client<Map>);
  /** The components that may use the hooks. */
  readonly children?: ReactNode;
}

/** Where the subscription begins, or the name under which it goes on, as for `channel.subscribe`. */
export interface UseSubscriptionOptions
  extends Pick<SubscribeOptions, 'since' | 'rewind' | 'rewindMs' | 'resumeAs' | 'commit'> {}

/** No channel now: `null`, so that a hook can wait for what its name is made of. */
type Maybe<Name> = Name | null | undefined;

/** The hooks of an application. A name that is `null` or `undefined` says that no channel is wanted now. */
export interface Hooks<Map> {
  /** Gives its client to all that is in it, and connects it while it is mounted. */
  FanfareProvider(props: ProviderProps<Map>): ReactNode;
  /**
   * Returns the client of the provider, to publish with and for all that no hook does.
   * @throws {FanfareClientError} `bad_request` outside of a provider.
   */
  useClient(): Client<Map>;
  /** Returns what the connection is, and renders when it changes. */
  useConnection(): ConnectionView;
  /**
   * Calls the newest handler for each message, and renders only when the status changes. The options count when it begins.
   */
  useSubscription<const Name extends ChannelName<Map>>(
    name: Maybe<Name>,
    handler: (message: MessageIn<Map, Name>) => unknown,
    options?: UseSubscriptionOptions,
  ): SubscriptionView;
  /** Returns the newest messages of a channel, and renders at most once a frame. On a server there are none. */
  useMessages<const Name extends ChannelName<Map>>(
    name: Maybe<Name>,
    options?: MessagesOptions,
  ): MessagesView<MessageIn<Map, Name>> & {
    /**
     * Puts up to `count` older messages before those that are there, 100 by default. Resolves with whether there are
     * still older ones.
     */
    readonly loadOlder: (count?: number) => Promise<boolean>;
  };
  /** Returns the newest message, which is at first the last one that a durable channel has. */
  useLatest<const Name extends ChannelName<Map>>(
    name: Maybe<Name>,
    options?: LatestOptions,
  ): MessageIn<Map, Name> | undefined;
  /**
   * Returns a state that was loaded as a snapshot and follows its channel. It calls the newest `load` and `apply`, and a
   * new one does not begin it anew.
   */
  useChannelState<const Name extends DurableName<Map>, State>(
    name: Maybe<Name>,
    options: StateOptions<State, MessageIn<Map, Name>>,
  ): ChannelStateView<State>;
  /** Returns who is on the channel. Whoever renders this is listed there, too. */
  usePresence<const Name extends ChannelName<Map>>(name: Maybe<Name>): PresenceView<InfoIn<Map, Name>>;
}

/**
 * Returns the hooks of an application, typed by its channels, as in `createHooks<typeof channels>()`. Nothing is opened
 * while rendering, so a server renders what is there before a connection, and a component that is rendered twice
 * subscribes once.
 */
export function createHooks<Map = Untyped>(): Hooks<Map> {
  const Context = createContext<BaseClient | undefined>(undefined);

  function useClient(): UntypedClient {
    const client = useContext(Context);
    if (client === undefined) throw badRequest('there is no <FanfareProvider> around this');
    return client as UntypedClient;
  }

  /** Returns the store of what a channel has. It is made anew when the name or one of `keys` changes. */
  function useStore<Made extends Store<unknown>>(
    name: Maybe<string>,
    make: (channel: Channel, client: BaseClient) => Made,
    nothing: Made,
    keys: readonly unknown[] = [],
  ): Made {
    const client = useClient();
    // biome-ignore lint/correctness/useExhaustiveDependencies: what `make` depends on is in `keys`
    return useMemo(() => (name == null ? nothing : make(client.channel(name), client)), [client, name, ...keys]);
  }

  function useNewest<Value>(value: Value): { readonly current: Value } {
    const newest = useRef(value);
    useEffect(() => {
      newest.current = value;
    });
    return newest;
  }

  const hooks: Hooks<Untyped> = {
    FanfareProvider({ client: given, children }) {
      const [made] = useState(() => (typeof given === 'function' ? given() : undefined));
      const client = made ?? (given as BaseClient);
      const leaving = useRef<ReturnType<typeof setTimeout>>(undefined);
      useEffect(() => {
        clearTimeout(leaving.current);
        client.connect();
        return () => {
          // A provider that is mounted twice keeps its client.
          if (made) leaving.current = setTimeout(() => made.close());
        };
      }, [client, made]);
      return createElement(Context.Provider, { value: client }, children);
    },

    useClient,

    useConnection() {
      const client = useClient();
      return useRead(useMemo(() => connectionStore(client), [client]));
    },

    useSubscription(name, handler, options = {}) {
      const newest = useNewest(handler);
      const store = useStore(
        name,
        (channel) => subscriptionStore(channel, (message) => newest.current(message as never), options),
        NO_SUBSCRIPTION,
      );
      return useRead(store);
    },

    useMessages(name, { rewind, max } = {}) {
      const store = useStore(name, (channel) => messagesStore(channel, { rewind, max }), NO_MESSAGES, [rewind, max]);
      const view = useRead(store);
      return useMemo(() => ({ ...view, loadOlder: store.loadOlder }), [view, store]) as never;
    },

    useLatest(name, { rewind } = {}) {
      const store = useStore(name, (channel) => latestStore(channel, { rewind }), NO_LATEST, [rewind]);
      return useRead(store) as never;
    },

    useChannelState(name, options) {
      const newest = useNewest(options as StateOptions<unknown, unknown>);
      const store = useStore(
        name,
        (channel) =>
          channelStateStore<unknown, unknown>(channel, {
            load: (signal) => newest.current.load(signal),
            apply: (state, message) => newest.current.apply(state, message as never),
          }),
        NO_STATE,
      );
      return useRead(store) as never;
    },

    usePresence(name) {
      return useRead(useStore(name, (channel, client) => presenceStore(client, channel), NO_PRESENCE)) as never;
    },
  };
  return hooks as unknown as Hooks<Map>;
}

const NO_SUBSCRIPTION = constantStore(OFF);
const NO_LATEST = constantStore<unknown>(undefined);
const NO_STATE = constantStore<ChannelStateView<unknown>>({
  state: undefined,
  status: 'loading',
  error: undefined,
  reload: () => {},
});
const NO_PRESENCE = constantStore<PresenceView<unknown>>(NOBODY);

function useRead<Value>(store: Store<Value>): Value {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}
