import type { ChannelState, StateOptions, StateView } from '../channel-state.js';
import type { HistoryOptions, HistoryPage, SubscribeOptions } from '../channel-types.js';
import type { Kind } from '../channels/spec.js';
import type { BaseClient } from '../client-types.js';
import type { StateChange } from '../connection.js';
import type { FanfareClientError } from '../errors.js';
import type { Message } from '../message.js';
import type { AskedPresence, PresenceIf, PresentMember } from '../presence.js';
import type { DurableEvents, Reading, SubscriptionState } from '../subscription-types.js';
import { constantStore, lazyStore, type Store } from './lazy-store.js';

/** Any channel, as far as the stores read it. */
export interface ReadableChannel<M, Info = unknown> {
  /** The name of the channel. */
  readonly name: string;
  /** What it was declared as, undefined where nothing was. */
  readonly kind?: Kind | undefined;
  /** Begins a subscription, as `channel.subscribe` does. */
  subscribe(handler: ((message: M) => unknown) | undefined, ...options: never[]): unknown;
  /** Who is on the channel now, as `channel.presence` tells. */
  presence(): Promise<readonly PresentMember<Info>[]>;
}
interface LooseChannel<M, Info = unknown> {
  subscribe<P extends boolean = false>(
    handler: (message: M) => unknown,
    options?: SubscribeOptions & AskedPresence<P>,
  ): Reading<M, DurableEvents<M>, PresenceIf<P, Info>>;
  history?(options?: HistoryOptions): Promise<HistoryPage<M>>;
}

/**
 * What the connection is, and what is known of it. `retryInMs` counts from when it became `waiting`, and `error` says why
 * it waits or has failed.
 */
export interface ConnectionView extends Partial<Omit<StateChange, 'state'>> {
  /** What the connection is now. On a server it is `idle`. */
  readonly state: StateChange['state'];
  /** The session that the gateway gave this connection. It is there while the state is `connected`. */
  readonly session?: string;
  /**
   * The user by whom the gateway knows this connection. It is there while the state is `connected`, with a token that
   * names a user.
   */
  readonly user?: string;
}

/** Returns a store of what the connection of a client is. */
export function connectionStore(client: BaseClient): Store<ConnectionView> {
  const read = (change: Partial<StateChange> = {}): ConnectionView => {
    const { session, user } = client.session ?? {};
    return { ...change, state: client.state, ...(session && { session }), ...(user && { user }) };
  };
  let view = read();
  return lazyStore(
    () => view,
    (changed) => {
      // The state may have changed since the store was made.
      if (view.state !== client.state) view = read();
      changed();
      return client.on('state', (change) => {
        view = read(change);
        changed();
      });
    },
    { state: 'idle' },
  );
}

/** What a subscription is, and why it has failed. */
export interface SubscriptionView {
  /** What the subscription is, or `off` if nobody wants it now. */
  readonly status: 'off' | SubscriptionState;
  /** Why the status is `failed`. It is undefined otherwise. */
  readonly error: FanfareClientError | undefined;
}
export const OFF: SubscriptionView = { status: 'off', error: undefined };

/** Returns a store of a subscription that calls the handler while somebody listens to the store. */
export function subscriptionStore<M>(
  channel: ReadableChannel<M>,
  handler: (message: M) => unknown,
  options?: SubscribeOptions,
): Store<SubscriptionView> {
  let view = OFF;
  return lazyStore(
    () => view,
    (changed) => {
      const set = (next: SubscriptionView) => {
        view = next;
        changed();
      };
      const close = follow(loose(channel), handler, options, set);
      return () => {
        close();
        view = OFF;
      };
    },
  );
}

/** Which messages a store keeps. */
export interface MessagesOptions {
  /** It begins with so many of the last messages of a durable channel, from 0 on. The default is 0. */
  readonly rewind?: number | undefined;
  /** It keeps at most so many messages, the newest. Those of `loadOlder` come on top. The default is 100. */
  readonly max?: number | undefined;
}
/** The messages of a channel, and what its subscription is. */
export interface MessagesView<M> extends SubscriptionView {
  /**
   * The messages, in the order of the log. It is the same array until that changes. It is begun anew after a `reset`, so
   * that the list never has a hole.
   */
  readonly messages: readonly M[];
}
/** A store of messages that can be extended into the past. */
export interface MessagesStore<M> extends Store<MessagesView<M>> {
  /**
   * Puts up to `count` older messages before those that are there, 100 by default. Resolves with whether there are still
   * older ones.
   */
  readonly loadOlder: (count?: number) => Promise<boolean>;
}
/** Where a store looks for the newest message. */
export interface LatestOptions {
  /**
   * Whether it begins with the last message of a durable channel (1), or with what comes from now on (0). The default is
   * 1, and 0 on a channel that is declared live.
   */
  readonly rewind?: 0 | 1 | undefined;
}
const NONE: MessagesView<never> = { ...OFF, messages: [] };

/**
 * Returns a store of the newest messages of a channel, in the order of the log. It is begun anew after a `reset`, so that
 * the list never has a hole.
 */
export function messagesStore<M>(
  channel: ReadableChannel<M>,
  { rewind = 0, max = 100 }: MessagesOptions = {},
): MessagesStore<M> {
  const source = loose(channel);
  const start = rewind > 0 ? { rewind: Math.min(rewind, max) } : {};
  let view: MessagesView<M> = NONE;
  let messages: M[] = [];
  let room = max;
  let dirty = false;
  let notify: (() => void) | undefined;
  let loading: Promise<boolean> | undefined;
  const empty = () => {
    messages = [];
    room = max;
    dirty = true;
  };
  const read = () => {
    if (dirty) {
      dirty = false;
      if (messages.length > room) messages.splice(0, messages.length - room);
      view = { ...view, messages: [...messages] };
    }
    return view;
  };
  const loadOlder = async (count: number): Promise<boolean> => {
    const [oldest] = messages;
    if (source.history === undefined || oldest === undefined) return false;
    const page = await source.history({ before: oldest as Message, limit: count });
    // A reset came meanwhile, so these messages do not stand before those that are there now.
    if (messages[0] !== oldest) return true;
    messages.unshift(...page.messages);
    room += page.messages.length;
    dirty = true;
    notify?.();
    return page.more;
  };
  const store = lazyStore(read, (changed) => {
    notify = changed;
    const set = ({ status, error }: SubscriptionView) => {
      view = { ...view, status, error };
      changed();
    };
    const take = (message: M) => {
      messages.push(message);
      // The list is trimmed at every frame. In a page that is given no frames it must not grow without end.
      if (messages.length > 2 * room) messages.splice(0, messages.length - room);
      dirty = true;
      changed();
    };
    let close: () => void;
    const begin = () => {
      const newest = messages.at(-1) as Message | undefined;
      const from = newest?.epoch === undefined ? start : { since: newest };
      // What a live channel sent while nobody listened is not known.
      if (newest !== undefined && newest.epoch === undefined) empty();
      close = follow(source, take, from, set, () => {
        close();
        empty();
        begin();
      });
    };
    begin();
    return () => {
      close();
      notify = undefined;
      view = { ...view, ...OFF };
    };
  });
  return {
    ...store,
    loadOlder(count = 100) {
      loading ??= loadOlder(count).finally(() => {
        loading = undefined;
      });
      return loading;
    },
  };
}

/** Returns a store of the newest message, which is at first the last one that a durable channel has. */
export function latestStore<M>(
  channel: ReadableChannel<M>,
  { rewind = channel.kind === 'live' ? 0 : 1 }: LatestOptions = {},
): Store<M | undefined> {
  const messages = messagesStore(channel, { rewind, max: 1 });
  const of = ({ messages: [latest] }: MessagesView<M>) => latest;
  return {
    subscribe: messages.subscribe,
    getSnapshot: () => of(messages.getSnapshot()),
    getServerSnapshot: () => undefined,
  };
}

/** A state as it is, and how to load it anew. */
export interface ChannelStateView<State> extends StateView<State> {
  /** Loads a new snapshot. After a failure it begins anew. */
  readonly reload: () => void;
}

export const NO_MESSAGES: MessagesStore<unknown> = {
  ...constantStore<MessagesView<unknown>>(NONE),
  loadOlder: async () => false,
};

/** Returns a store of what `channel.state()` gives, while somebody listens. */
export function channelStateStore<State, M>(
  channel: { state(options: StateOptions<State, M>): ChannelState<State> },
  options: StateOptions<State, M>,
): Store<ChannelStateView<State>> {
  let state: ChannelState<State> | undefined;
  const reload = () => state?.reload();
  let view: ChannelStateView<State> = { state: undefined, status: 'loading', error: undefined, reload };
  return lazyStore(
    () => view,
    (changed) => {
      const set = (next: StateView<State>) => {
        view = { ...next, state: next.state ?? view.state, reload };
        changed();
      };
      state = channel.state(options);
      if (view.state !== undefined) set({ ...state.view, status: 'stale' });
      const off = state.on('change', set);
      return () => {
        off();
        state?.close();
        state = undefined;
      };
    },
  );
}

/** Who is on a channel. */
export interface PresenceView<Info> {
  /** The members. It is the same array until that changes. */
  readonly members: readonly PresentMember<Info>[];
  /** Whether the list is known to be whole. It is false before the first list, and while there is no connection. */
  readonly synced: boolean;
}
export const NOBODY: PresenceView<never> = { members: [], synced: false };

/** Returns a store of who is on a channel. Whoever listens to it is listed there, too. */
export function presenceStore<Info>(
  client: BaseClient,
  channel: ReadableChannel<unknown, Info>,
): Store<PresenceView<Info>> {
  let view: PresenceView<Info> = NOBODY;
  return lazyStore(
    () => view,
    (changed) => {
      const subscription = loose(channel).subscribe(() => {}, { presence: true });
      const { presence } = subscription;
      const update = () => {
        const { members, synced } = presence;
        if (members === view.members && synced === view.synced) return;
        view = { members, synced };
        changed();
      };
      update();
      const offs = [
        presence.on('join', update),
        presence.on('leave', update),
        presence.on('sync', update),
        client.on('state', update),
      ];
      return () => {
        for (const off of offs) off();
        subscription.unsubscribe();
        view = { ...view, synced: false };
      };
    },
  );
}

/** Begins a subscription whose state is told as it changes. */
function follow<M>(
  channel: LooseChannel<M>,
  handler: (message: M) => unknown,
  options: SubscribeOptions | undefined,
  set: (view: SubscriptionView) => void,
  onReset?: () => void,
): () => void {
  let subscription: ReturnType<typeof channel.subscribe>;
  try {
    subscription = channel.subscribe(handler, options);
  } catch (error) {
    set({ status: 'failed', error: error as FanfareClientError });
    return () => {};
  }
  const update = (error?: FanfareClientError) => set({ status: subscription.state, error });
  subscription.on('subscribed', () => update());
  subscription.on('lagged', () => update());
  subscription.on('error', update);
  if (onReset) subscription.on('reset', onReset);
  update();
  return () => subscription.unsubscribe();
}

/**
 * Returns a channel without its declared type. The declaration narrows what may be asked of a channel, but at run time
 * they are all alike.
 */
function loose<M, Info>(channel: ReadableChannel<M, Info>): LooseChannel<M, Info> {
  return channel as unknown as LooseChannel<M, Info>;
}
