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

/** Any channel, as far as it can be read. */
export interface ReadableChannel<M, Info = unknown> {
  /** The name of the channel. */
  readonly name: string;
  /** As it was declared; undefined where nothing was. */
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
 * What the connection is, and what is known of it: `retryInMs` counts from when it became `waiting`, `error` says why
 * it waits or has failed.
 */
export interface ConnectionView extends Partial<Omit<StateChange, 'state'>> {
  /** What the connection is now; `idle` on a server. */
  readonly state: StateChange['state'];
  /** The session that the gateway gave this connection; while `connected`. */
  readonly session?: string;
  /** The user that the gateway knows this connection by; while `connected` with a token that names one. */
  readonly user?: string;
}

/** The state of a connection, as a store. */
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

/** What a subscription is. */
export interface SubscriptionView {
  /** `off`: nobody wants it now. */
  readonly status: 'off' | SubscriptionState;
  /** `failed`: why. */
  readonly error: FanfareClientError | undefined;
}
export const OFF: SubscriptionView = { status: 'off', error: undefined };

/** Calls the handler while somebody listens to the store. */
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

/** Which messages are kept. */
export interface MessagesOptions {
  /** Begin with the last n messages of a durable channel. Default 0. */
  readonly rewind?: number | undefined;
  /** Most messages that are kept, the newest; those of `loadOlder` come on top. Default 100. */
  readonly max?: number | undefined;
}
/** The messages of a channel, and what its subscription is. */
export interface MessagesView<M> extends SubscriptionView {
  /** In log order; the same array until it changes. Begun anew after a `reset`: the list never has a hole. */
  readonly messages: readonly M[];
}
/** A store of messages that can be extended into the past. */
export interface MessagesStore<M> extends Store<MessagesView<M>> {
  /** Puts up to `count` older messages (100) before those that are there; whether there are still older ones. */
  readonly loadOlder: (count?: number) => Promise<boolean>;
}
/** Where the newest message is looked for. */
export interface LatestOptions {
  /** 0: only what comes from now on. Default 1. */
  readonly rewind?: 0 | 1 | undefined;
}
const NONE: MessagesView<never> = { ...OFF, messages: [] };

/** The newest messages of a channel, in log order; begun anew after a `reset`, so that the list never has a hole. */
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

/** The newest message; of a durable channel at first the last one that there is. */
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
  /** Loads a new snapshot; after a failure it begins anew. */
  readonly reload: () => void;
}

export const NO_MESSAGES: MessagesStore<unknown> = {
  ...constantStore<MessagesView<unknown>>(NONE),
  loadOlder: async () => false,
};

/** `channel.state()` while somebody listens. */
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
  /** The same array until it changes. */
  readonly members: readonly PresentMember<Info>[];
  /** False before the first list and while there is no connection: the list may be old. */
  readonly synced: boolean;
}
export const NOBODY: PresenceView<never> = { members: [], synced: false };

/** Who is on a channel; whoever listens is listed there too. */
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
