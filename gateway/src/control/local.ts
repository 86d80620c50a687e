/** Carries out control calls on the sessions of this gateway. */
import { readClaims } from '../auth/claims.js';
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import type { Session } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import {
  MAX_SESSION_CHANNELS,
  MAX_SESSIONS,
  type NewPermissions,
  type SessionChannel,
  type SessionInfo,
  type Target,
} from './calls.js';
import { concerns, type Revocation } from './revocation.js';

export class LocalControl {
  readonly #sessions: Sessions;
  readonly #node: string;
  readonly #clock: Clock;

  constructor(sessions: Sessions, node: string, clock: Clock) {
    this.#sessions = sessions;
    this.#node = node;
    this.#clock = clock;
  }

  /** Closes connections. Returns how many they were. */
  disconnect(target: Target, reconnect: boolean): number {
    const found = this.#find(target);
    for (const session of found) {
      if (reconnect) session.close(4003, 'asked to reconnect');
      else session.close(4403, 'disconnected');
    }
    return found.length;
  }

  /** Takes connections off a channel. Returns how many they were. */
  unsubscribe(target: Target, channel: string): number {
    let reached = 0;
    for (const session of this.#find(target)) {
      const { memberships } = session;
      const takeOff = () => {
        if (memberships.has(channel)) session.takeOff(channel, new FanfareError('forbidden', 'taken off'));
      };
      if (memberships.has(channel)) reached++;
      // A subscribe that is still under way is answered before.
      void memberships.turns.run(channel, async () => takeOff()).catch(() => {});
    }
    return reached;
  }

  /**
   * Replaces what connections may do. Returns how many they were.
   * @param permissions in the form that {@link readClaims} accepts
   */
  refresh(target: Target, { channels, subscribe }: NewPermissions): number {
    const claims = readClaims({ channels, subscribe });
    const found = this.#find(target);
    for (const session of found) {
      const { identity } = session;
      if (identity) session.identify({ ...identity, grants: claims.permissions, subscribe: claims.subscribe });
    }
    return found.length;
  }

  /** Ends what rests on tokens that were revoked. Returns on how many connections there was anything. */
  revoke(revocation: Revocation): number {
    let reached = 0;
    // All sessions are looked at, because channel tokens of a user may be held by connections without a user.
    for (const session of [...this.#sessions]) {
      if (session.revoke((token) => concerns(revocation, token))) reached++;
    }
    return reached;
  }

  list(target: Target): { readonly sessions: readonly SessionInfo[]; readonly count: number } {
    const found = this.#find(target);
    return { sessions: found.slice(0, MAX_SESSIONS).map((session) => this.#describe(session)), count: found.length };
  }

  #find(target: Target): readonly Session[] {
    if ('user' in target) return [...this.#sessions.ofUser(target.user)];
    const session = this.#sessions.get(target.session);
    return session?.identity ? [session] : [];
  }

  #describe(session: Session): SessionInfo {
    const { id, identity, remoteAddress, entrance, dialect, openedAtMs, lastSeenMs, laggingSinceMs, writer } = session;
    const now = this.#clock.now();
    const ago = (ms: number) => Math.round(now - ms);
    return {
      session: id,
      node: this.#node,
      ...(identity?.user !== undefined && { user: identity.user }),
      address: remoteAddress,
      via: entrance,
      dialect: dialect.name,
      connectedAt: Math.round(this.#clock.wall()) - ago(openedAtMs),
      idleMs: ago(lastSeenMs),
      ...(identity?.expiresAt !== undefined && { expires: identity.expiresAt }),
      unsentBytes: writer.unsentBytes,
      ...(laggingSinceMs !== undefined && { laggingMs: ago(laggingSinceMs) }),
      channelCount: session.memberships.size,
      channels: channelsOf(session),
    };
  }
}

function channelsOf({ memberships }: Session): SessionChannel[] {
  const channels: SessionChannel[] = [];
  for (const { channel, isLive, position, head } of memberships.standings()) {
    if (channels.length === MAX_SESSION_CHANNELS) break;
    channels.push({
      channel,
      state: isLive ? 'live' : 'joining',
      ...(position && { epoch: String(position.epoch), offset: position.offset }),
      ...(position && head && { behind: Math.max(0, head.offset - position.offset) }),
    });
  }
  return channels;
}
