/**
 * The presence port: who is on which channel, over all gateways. Engines: `memory/`, `redis/`; the suite in
 * `test/cases/presence.cases.ts` holds each to what is written here.
 *
 * What is stored are **sessions**; what clients see are **members**: all sessions of a user on a channel are
 * one member, a session without a user is a member of its own. A member joins with its first session and
 * leaves with its last one.
 *
 * Every change of a channel's members has a **revision**, which grows. Revisions are made of the time in
 * microseconds, so that they also grow where what was stored is lost.
 */
import type { Subscription } from '../broker/broker.js';

/** One session on a channel, as a gateway stores it. */
export interface PresentSession {
  readonly session: string;
  /** User of the session. Absent if it is anonymous. */
  readonly user?: string | undefined;
  /** What the token says of the user, for others to see; plain JSON. */
  readonly info?: unknown;
}

export interface PresenceMember {
  /** The session with which it joined. */
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
  /** Whether members follow behind the last one. */
  readonly more: boolean;
}

/** A change of a channel's members. */
export interface PresenceChange {
  readonly rev: number;
  /** The revision before this one; 0 if nobody was there for long. Another one than is known: something was missed. */
  readonly prev: number;
  readonly joined: readonly PresenceMember[];
  readonly left: readonly PresenceMember[];
  /** Members who were there and are there still, with another number of sessions. */
  readonly counted: readonly PresenceMember[];
}

/** Calls for one watched channel, as those of the broker's `ChannelListener`. */
export interface PresenceListener {
  onChange(change: PresenceChange): void;
  /** Changes may be missed until `onResumed`. */
  onInterrupted(): void;
  onResumed(): void;
}

export interface PresenceStore {
  start(): void;
  /**
   * Leaves this gateway's sessions where they are: they vanish with its lease, or go on being members by
   * sessions elsewhere. Whoever wants them gone at once removes them before.
   * @param keepMs how long they shall stay at least, where that is longer than the lease
   */
  close(keepMs?: number): Promise<void>;
  /**
   * Puts a session onto a channel, for as long as this gateway lives and does not remove it. Resolves once it
   * is stored: what then asks for the members finds it. Tries again for as long as it takes.
   */
  add(channel: string, session: PresentSession): Promise<void>;
  /** Takes a session off, in the background. Nothing happens if it is not there. */
  remove(channel: string, session: string): void;
  /**
   * Members behind `after`, a `memberKey` (`''`: from the first one), at most `limit`.
   * @throws {FanfareError} `unavailable`
   */
  list(channel: string, range: { readonly after: string; readonly limit: number }): Promise<PresencePage>;
  /** Resolves once every change is told, in order, but for interruptions. @throws {FanfareError} `unavailable` */
  watch(channel: string, listener: PresenceListener): Promise<Subscription>;
}

/** Names a member among those of a channel, and orders them: pages go on behind it. */
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
