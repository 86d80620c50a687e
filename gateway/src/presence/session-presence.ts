import type { PresenceFrame } from '@fanfare/protocol';
import type { Caller, ChannelAccess } from '../channels/access.js';
import { FanfareError } from '../errors.js';
import type { LeaveCause } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Client } from '../session/client.js';
import type { SessionListener } from '../session/services.js';
import type { Presence } from './presence.js';
import { cursorBehind } from './presence-cursor.js';
import type { Listening } from './presence-room.js';
import type { PresentSession } from './presence-store.js';

/** Most members of one reply, if the client does not say how many. */
const DEFAULT_LIMIT = 1_000;

/** A client on a channel on which it wanted to be seen. */
interface Place {
  /** The session as it was when the client entered. The identity of the client may be another one when it leaves. */
  readonly session: PresentSession;
  readonly listening: Listening;
}

/** Brings the clients of this gateway in and out of the presence of their channels, and answers who is there. */
export class SessionPresence implements SessionListener {
  readonly #presence: Presence;
  readonly #access: ChannelAccess;
  readonly #places = new Map<Client, Map<string, Place>>();

  constructor(presence: Presence, access: ChannelAccess) {
    this.#presence = presence;
    this.#access = access;
  }

  /**
   * Makes a client that is about to subscribe to a channel a member. It becomes one before it is told that it is
   * subscribed, so that whoever asks afterwards finds it. Resolves with `true` if it was no member before.
   * @param caller the client, with what a token for the channel gives it
   * @throws {FanfareError} `forbidden`
   */
  async enter(client: Client, { name }: ChannelPolicy, caller: Caller = client): Promise<boolean> {
    await this.#permit(caller, name);
    if (client.isClosed) return false;
    let places = this.#places.get(client);
    if (!places) {
      places = new Map();
      this.#places.set(client, places);
    }
    if (places.has(name)) return false;
    const { identity } = client;
    const session: PresentSession = {
      session: client.id,
      ...(identity?.user !== undefined && { user: identity.user }),
      ...(identity?.info !== undefined && { info: identity.info }),
    };
    places.set(name, { session, listening: this.#presence.listen(name, client.writer, client.dialect) });
    await this.#presence.enter(name, session);
    return true;
  }

  /** Answers the command `presence`. @throws {FanfareError} `unknown_channel`, `forbidden`, `unavailable` */
  async answer(client: Client, { id, channel, cursor, limit = DEFAULT_LIMIT }: PresenceFrame): Promise<void> {
    await this.#permit(client, channel);
    const page = await this.#presence.page(channel, cursor, limit);
    const { members, count, rev } = page;
    client.reply({ type: 'presence', id, channel, members, count, rev, ...cursorBehind(page) });
  }

  onEntered(client: Client, { name }: ChannelPolicy, presence: boolean): void {
    if (presence) this.#places.get(client)?.get(name)?.listening.begin();
    else this.#leave(client, name, false);
  }

  onLeft(client: Client, channel: string, cause: LeaveCause): void {
    this.#leave(client, channel, cause !== 'left');
  }

  onClosed(client: Client): void {
    for (const channel of [...(this.#places.get(client)?.keys() ?? [])]) this.#leave(client, channel, true);
    this.#places.delete(client);
  }

  #leave(client: Client, channel: string, isAbrupt: boolean): void {
    const places = this.#places.get(client);
    const place = places?.get(channel);
    if (!places || !place) return;
    places.delete(channel);
    place.listening.end();
    this.#presence.leave(channel, place.session, isAbrupt);
  }

  async #permit(caller: Caller, channel: string): Promise<void> {
    const decision = await this.#access.permit(caller, 'presence', channel);
    if (decision instanceof FanfareError) throw decision;
  }
}
