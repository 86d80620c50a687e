/**
 * The presence port: who is on which channel, over all gateways. Engines: `memory/`, `redis/`; the suite in
 * `test/cases/presence.cases.ts` holds each to what is written here.
 *
 * What is stored are **sessions**, and what clients see are **members**. All sessions of a user on a channel are one
 * member, and a session without a user is a member of its own. A member joins with its first session and leaves with
 * its last one.
 *
 * Every change of a channel's members has a **revision**, which grows. Revisions are made from the time in
 * microseconds, so that they grow even if what was stored is lost.
 */
import type { Subscription } from '../broker/broker.js';

/** One session on a channel, as a gateway stores it. */
export interface PresentSession {
  readonly session: string;
  /** User of the session. Absent if it is anonymous. */
  readonly user?: string | undefined;
  /** What the token says about the user for others to see, as plain JSON. */
  readonly info?: unknown;
}

export interface PresenceMember {
  /** The session with which the member joined. */
  readonly session: string;
  readonly user?: string;
  readonly info?: unknown;
  /** How many sessions the member has on the channel now, at least 1. */
  readonly sessions: number;
}

/** Some members, in an order that does not change while they stay. */
export interface PresencePage {
  readonly members: readonly PresenceMember[];
  /** How many members are on the channel. */
  readonly count: number;
  /** The revision that the page shows; 0 while nobody is there. */
  readonly rev: number;
  /** Whether more members follow behind the last one of this page. */
  readonly more: boolean;
}

/** A change of a channel's members. */
export interface PresenceChange {
  readonly rev: number;
  /**
   * The revision before this change; 0 if nobody had been there for long. A listener that knows another revision has
   * missed something.
   */
  readonly prev: number;
  readonly joined: readonly PresenceMember[];
  readonly left: readonly PresenceMember[];
  /** Members that were there before and still are, with another number of sessions. */
  readonly counted: readonly PresenceMember[];
}

/** What the store calls for one watched channel, in the same way as the broker calls a `ChannelListener`. */
export interface PresenceListener {
  onChange(change: PresenceChange): void;
  /** From now on changes may be missed, until `onResumed`. */
  onInterrupted(): void;
  onResumed(): void;
}

export interface PresenceStore {
  start(): void;
  /**
   * Ends the store, and leaves this gateway's sessions where they are. They vanish with the lease of this gateway;
   * their members stay if they have sessions elsewhere. To have sessions gone at once, remove them before.
   * @param keepMs how long the sessions should stay at least, if that is longer than the lease
   */
  close(keepMs?: number): Promise<void>;
  /**
   * Puts a session onto a channel, for as long as this gateway lives and does not remove it. Resolves once it is
   * stored, so that whoever asks for the members afterwards finds it. It tries again for as long as it takes.
   */
  add(channel: string, session: PresentSession): Promise<void>;
  /** Takes a session off a channel, in the background. Does nothing if it is not there. */
  remove(channel: string, session: string): void;
  /**
   * A page of the members behind `after`, which is a `memberKey` (`''`: from the first member on), and of at most
   * `limit` members.
   * @throws {FanfareError} `unavailable`
   */
  list(channel: string, range: { readonly after: string; readonly limit: number }): Promise<PresencePage>;
  /**
   * Calls the listener with every change, in order. Resolves once that is so. Changes may be missed in interruptions
   * only. @throws {FanfareError} `unavailable`
   */
  watch(channel: string, listener: PresenceListener): Promise<Subscription>;
}

/** The key of a member among those of a channel. Lists are in the order of keys, and pages go on behind a key. */
export function memberKey({ user, session }: Pick<PresentSession, 'user' | 'session'>): string {
  return user === undefined ? `s:${session}` : `u:${user}`;
}

/**
 * The live channel that carries the changes of this channel's members. No client can name it, because of
 * the spaces; it belongs to the shard of the channel.
 */
export function changesChannel(channel: string): string {
  return ` presence ${channel}`;
}
