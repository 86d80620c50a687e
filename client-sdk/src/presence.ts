import type { PresenceReplyFrame } from '@fanfare/protocol';
import type { StateOf } from './channels/spec.js';
import type { Requests } from './requests.js';

/** A user with all of its sessions on the channel, or one anonymous session. */
export interface PresentMember<Info = unknown> {
  /** The session with which it joined. */
  readonly session: string;
  /** Absent if anonymous. */
  readonly user?: string;
  /** `info` of its token; nobody can forge it, and no schema checks it. */
  readonly info?: Info;
  /** How many sessions it had there when it was told of last; no later change of that is told. */
  readonly sessions: number;
}

/** What `subscription.presence` tells. */
export interface PresenceEvents<Info = unknown> {
  /** A member has come: the first of its sessions. */
  join: PresentMember<Info>;
  /** A member has gone: the last of its sessions. */
  leave: PresentMember<Info>;
  /** The list is whole: for the first time, or again after a lost connection. */
  sync: readonly PresentMember<Info>[];
}

/**
 * Who is on a channel, kept by a subscription with `presence`. Applying every `join` and `leave` gives `members`, also
 * over lost connections: what changed meanwhile is told before the next `sync`.
 */
export interface Presence<Info = unknown> {
  /** In the order in which they were told of; the same array until it changes. */
  readonly members: readonly PresentMember<Info>[];
  /** False before the first list and while there is no connection: the list may be old. */
  readonly synced: boolean;
  /** Adds a listener and returns what removes it. */
  on<Name extends keyof PresenceEvents>(
    name: Name,
    listener: (event: PresenceEvents<Info>[Name]) => unknown,
  ): () => void;
}

/** The option `presence` of a subscription, by itself so that the type of what is returned follows from it. */
export interface AskedPresence<P extends boolean> {
  /** Be listed as a member of the channel, and know of the others. Default false. */
  readonly presence?: P | undefined;
}
/**
 * What `presence` of a subscription is: there where its options say `presence: true`, `undefined` where they do not. It
 * may be either where that is known at run time only.
 */
export type PresenceIf<P extends boolean, Info = unknown> = P extends true ? Presence<Info> : undefined;

/** What members show of themselves; unknown where the map does not say. */
export type InfoOf<Spec> = [StateOf<Spec>] extends [never] ? unknown : StateOf<Spec>;

/**
 * Reads the list of a channel page by page.
 * @throws {FanfareClientError} as a rejection: `forbidden`, `timeout`, …
 */
export async function readPresence(
  requests: Requests,
  channel: string,
  timeoutMs: number,
  onPage: (page: PresenceReplyFrame) => void,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? {} : { cursor };
    const plan = { timeoutMs, readOnly: true };
    const page = await requests.call('presence', (id) => ({ type: 'presence', id, channel, ...from }), plan);
    onPage(page);
    cursor = page.cursor;
  } while (cursor !== undefined);
}
