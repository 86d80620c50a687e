import type { PresenceReplyFrame } from '@fanfare/protocol';
import type { StateOf } from './channels/spec.js';
import type { Requests } from './requests.js';

/** A user with all of its sessions on the channel, or one anonymous session. */
export interface PresentMember<Info = unknown> {
  /** The session with which it joined. */
  readonly session: string;
  /** The user of the token, absent if the session is anonymous. */
  readonly user?: string;
  /** What its token says as `info`. Nobody can forge it, and no schema checks it. */
  readonly info?: Info;
  /** How many sessions it had there when it was told of last. No later change of that is told. */
  readonly sessions: number;
}

/** What `subscription.presence` tells. */
export interface PresenceEvents<Info = unknown> {
  /** A member has come, with the first of its sessions. */
  join: PresentMember<Info>;
  /** A member has gone, with the last of its sessions. */
  leave: PresentMember<Info>;
  /** The list is whole, for the first time or again after a lost connection. */
  sync: readonly PresentMember<Info>[];
}

/**
 * Who is on a channel, kept by a subscription with `presence`. Applying every `join` and `leave` gives `members`, also
 * over lost connections: what changed meanwhile is told before the next `sync`.
 */
export interface Presence<Info = unknown> {
  /** The members in the order in which they were told of. It is the same array until that changes. */
  readonly members: readonly PresentMember<Info>[];
  /** Whether the list is known to be whole. It is false before the first list, and while there is no connection. */
  readonly synced: boolean;
  /** Adds a listener, and returns a function that removes it. */
  on<Name extends keyof PresenceEvents>(
    name: Name,
    listener: (event: PresenceEvents<Info>[Name]) => unknown,
  ): () => void;
}

/** The option `presence` of a subscription, by itself so that the type of what is returned follows from it. */
export interface AskedPresence<P extends boolean> {
  /** Whether we are listed as a member of the channel and know of the others. The default is false. */
  readonly presence?: P | undefined;
}
/**
 * What `presence` of a subscription is: there where its options say `presence: true`, `undefined` where they do not. It
 * may be either where that is known at run time only.
 */
export type PresenceIf<P extends boolean, Info = unknown> = P extends true ? Presence<Info> : undefined;

/** The type of what members show of themselves, `unknown` where the map does not say. */
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
