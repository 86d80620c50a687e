import type { Wire } from '@fanfare/protocol';
import { frameFor, type Outgoing } from './entry.js';
import type { Subscriber } from './subscriber.js';
import type { Topic } from './topic.js';

/** The place on a channel of a client that does not get a message that the others get. */
export interface ExceptedPlace {
  /** Whether the client gets what the channel sends now. */
  readonly isLive: boolean;
  readonly topic: Topic;
  readonly subscriber: Subscriber;
}

/** Finds the place of a session of this gateway on a channel, if it has one. */
export type FindMembership = (session: string, channel: string) => ExceptedPlace | undefined;

/** The places on the channel that do not get one of the items, each once. */
export function exceptedFrom(
  channel: string,
  items: readonly Outgoing[],
  find: FindMembership,
): readonly ExceptedPlace[] {
  const excepted = new Set<ExceptedPlace>();
  for (const { exception } of items) {
    const membership = exception && find(exception.session, channel);
    if (membership?.isLive) excepted.add(membership);
  }
  return [...excepted];
}

/**
 * Publishes items to a topic while these subscribers are off it, and then sends each of them the items that it does
 * get. So there is one publish for all others, and one send for each that is excepted. It all happens in one
 * synchronous step, which keeps the order.
 */
export function publishApart(
  topic: Topic,
  subscribers: readonly ExceptedPlace[],
  items: readonly Outgoing[],
  publish: () => void,
): void {
  // A socket that leaves a topic is sent what it has pending. That may be too much for it; then it lags, and is off the
  // topic for good.
  for (const { subscriber } of subscribers) subscriber.unsubscribe(topic.name);
  publish();
  for (const membership of subscribers) {
    if (!membership.isLive) continue;
    const { subscriber } = membership;
    subscriber.subscribe(topic.name);
    const frames = items
      .map((item) => frameFor(item, subscriber.session, topic.dialect))
      .filter((frame): frame is Wire => frame !== undefined);
    // A client that does not accept them lags, and comes again from where it stands.
    if (frames.length > 0) subscriber.sendReplayed(topic.pack(frames));
  }
}
