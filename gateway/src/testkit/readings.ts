import type { Client, Message, Position, StateOptions, Subscription } from '@fanfare/client';

/** What a subscription of a test was given, in order. */
type Given =
  | { readonly type: 'message'; readonly message: Message }
  /** The subscription stands at this position now: at the start, after a reset, or by a snapshot. */
  | { readonly type: 'place'; readonly position: Position };

/** One subscription, as seen from the application. */
export interface Reading {
  readonly reader: string;
  readonly channel: string;
  readonly given: Given[];
  /** Whether a message may be given again, because the subscription has a name and its handler may have failed. */
  readonly mayRepeat: boolean;
  /** The position up to which the subscription was given messages, if it is on its channel now. */
  readonly standsAt: () => Position | undefined;
}

type Handler = (message: Message) => unknown;
type Loose = Readonly<Record<string | symbol, unknown>>;

/** A client that behaves as the one given, and notes what its subscriptions and states are given. */
export function observed<Observed extends Client | Client<unknown>>(
  client: Observed,
  reader: string,
  readings: Reading[],
): Observed {
  const channelOf = (channel: Loose & { readonly name: string }) =>
    overlay(channel, {
      subscribe: (first?: unknown, second?: unknown) => {
        const [handler, options] =
          typeof first === 'function' ? [first as Handler, second] : [undefined, second ?? first];
        const { name } = channel;
        const given: Given[] = [];
        const note = (message: Message) => void given.push({ type: 'message', message });
        const subscribe = channel.subscribe as (handler: Handler | undefined, options: unknown) => Subscription;
        const subscription = subscribe.call(channel, handler && noting(handler, note), options);
        const mayRepeat = (options as { resumeAs?: string } | undefined)?.resumeAs !== undefined;
        const standsAt = () => (subscription.state === 'subscribed' ? subscription.position : undefined);
        readings.push({ reader, channel: name, given, mayRepeat, standsAt });
        return observedSubscription(subscription, given, note);
      },
      state: (options: StateOptions<unknown, Message>) => {
        const given: Given[] = [];
        const make = channel.state as (options: StateOptions<unknown, Message>) => { readonly status: string };
        let at: Position | undefined;
        const state = make.call(channel, {
          load: async (signal) => {
            const snapshot = await options.load(signal);
            at = snapshot.position;
            if (!signal.aborted) given.push({ type: 'place', position: snapshot.position });
            return snapshot;
          },
          apply: (before, message) => {
            given.push({ type: 'message', message });
            at = positionOf(message) ?? at;
            return options.apply(before, message);
          },
        });
        const standsAt = () => (state.status === 'live' ? at : undefined);
        readings.push({ reader, channel: channel.name, given, mayRepeat: false, standsAt });
        return state;
      },
    });
  const methods = client as unknown as Record<
    'channel' | 'untyped',
    (...args: unknown[]) => Parameters<typeof channelOf>[0]
  >;
  return overlay(client as unknown as Loose, {
    channel: (...args: unknown[]) => channelOf(methods.channel(...args)),
    ...('untyped' in client && { untyped: (...args: unknown[]) => channelOf(methods.untyped(...args)) }),
  }) as unknown as Observed;
}

function observedSubscription(
  subscription: Subscription,
  given: Given[],
  note: (message: Message) => void,
): Subscription {
  let isLoop = false;
  const place = ({ position }: { readonly position?: Position | undefined }) => {
    if (position) given.push({ type: 'place', position });
  };
  // Listeners hear of these events at once; a loop gets them in their place between the messages.
  subscription.on('subscribed', (event) => !isLoop && !event.again && place(event));
  subscription.on('reset', (event) => !isLoop && place(event));
  const events = () => {
    isLoop = true;
    const told = subscription.events()[Symbol.asyncIterator]();
    const next = async () => {
      const result = await told.next();
      if (result.done) return result;
      const { type, event } = result.value;
      if (type === 'message') note(event);
      if (type === 'reset' || (type === 'subscribed' && !event.again)) place(event);
      return result;
    };
    return { next, return: () => told.return?.() ?? Promise.resolve({ done: true as const, value: undefined }) };
  };
  const messages = () => {
    const told = events();
    const next = async (): Promise<IteratorResult<Message, undefined>> => {
      for (;;) {
        const { done, value } = await told.next();
        if (done) return { done, value: undefined };
        if (value.type === 'message') return { done: false, value: value.event };
      }
    };
    return { next, return: told.return };
  };
  return overlay(subscription as unknown as Loose, {
    on: (name: string, listener: Handler) =>
      subscription.on(name as 'message', name === 'message' ? noting(listener, note) : listener),
    events: () => ({ [Symbol.asyncIterator]: events }),
    [Symbol.asyncIterator]: messages,
  }) as unknown as Subscription;
}

function noting(handler: Handler, note: (message: Message) => void): Handler {
  return (message) => {
    note(message);
    return handler(message);
  };
}

/** The object with some of its methods replaced; all others are called on the object itself. */
function overlay<Target extends object>(target: Target, replaced: Loose): Target {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(replaced, name)) return replaced[name];
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export function positionOf({ epoch, offset }: Message): Position | undefined {
  return epoch === undefined || offset === undefined ? undefined : { epoch, offset };
}
