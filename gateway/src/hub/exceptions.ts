import type { Wire } from '@fanfare/protocol';
import { frameFor, type Outgoing } from './entry.js';
import type { Subscriber } from './subscriber.js';
import type { Topic } from './topic.js';

/** The place on a channel of one who does not get a message that the others get. */
export interface ExceptedPlace {
  /** It gets what the channel sends now. */
  readonly isLive: boolean;
  readonly topic: Topic;
  readonly subscriber: Subscriber;
}

/** The place of a session of this gateway on a channel, if it has one. */
export type FindMembership = (session: string, channel: string) => ExceptedPlace | undefined;

/** Those on the channel who do not get one of the items, each once. */
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
 * Publishes items to a topic while these subscribers are off it, and sends each of them what is theirs: one publish for all
 * others, and one send for each who is excepted. All in one synchronous step, so that their order holds.
 */
export function publishApart(
  topic: Topic,
  subscribers: readonly ExceptedPlace[],
  items: readonly Outgoing[],
  publish: () => void,
): void {
  // A socket is sent what it has pending when it leaves a topic; that may be too much for it, and then it is off for good.
  for (const { subscriber } of subscribers) subscriber.unsubscribe(topic.name);
  publish();
  for (const membership of subscribers) {
    if (!membership.isLive) continue;
    const { subscriber } = membership;
    subscriber.subscribe(topic.name);
    const frames = items
      .map((item) => frameFor(item, subscriber.session, topic.dialect))
      .filter((frame): frame is Wire => frame !== undefined);
    // One that does not take them lags, and comes again from where it stands.
    if (frames.length > 0) subscriber.sendReplayed(topic.pack(frames));
  }
}
