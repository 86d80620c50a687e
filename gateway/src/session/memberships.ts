import type { ChannelGrant, Grants } from '../auth/authenticator.js';
import type { LogPosition } from '../broker/record.js';
import { FanfareError } from '../errors.js';
import type { Membership } from '../hub/channel.js';
import type { Hub } from '../hub/hub.js';
import type { Joined, LeaveCause, Start, Subscriber } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import { ChannelTurns } from './channel-turns.js';

/** How a client is to be brought onto a channel, and who is told what becomes of it. */
interface Subscribing {
  readonly start: Start;
  /** The client wants to be a member, and to hear of the others. */
  readonly presence: boolean;
  /** What the client may do there besides, by the token that it gave, and until when. */
  readonly grant?: ChannelGrant | undefined;
  /** The gateway does it by itself. What the client asks later of that channel is its first subscribe. Default false. */
  readonly isUnasked?: boolean;
  /** The client stands here; what follows is contiguous from there. Told once, before the first replayed frame. */
  onJoined(joined: Joined): void;
  /** The replay failed behind that: the client is off the channel. */
  onFailed(error: unknown): void;
}

/** Is told who comes and goes. */
export interface MembershipListener {
  /** The client is on the channel and was told so; once more where it started over from another position. */
  onEntered(channel: ChannelPolicy, presence: boolean): void;
  /** A client that was on it, or about to be, no longer is. */
  onLeft(channel: string, cause: LeaveCause): void;
}

/** Where a client stands on one of its channels. Without a log there are no positions. */
interface Standing {
  readonly channel: string;
  /** It gets what is published; if not, it is joining, or catching up. */
  readonly isLive: boolean;
  readonly position: LogPosition | undefined;
  /** Where the log ends, as far as this gateway knows. */
  readonly head: LogPosition | undefined;
}

/** The channels of one client: those that it is on or joining. */
export class Memberships {
  /** Keeps in order what is asked of one channel. */
  readonly turns = new ChannelTurns();
  readonly #hub: Hub;
  readonly #subscriber: Subscriber;
  readonly #limit: number;
  readonly #listener: MembershipListener;
  readonly #memberships = new Map<string, Membership>();
  /** What ends each join that is not answered yet, if the client is taken off before; only while there are some. */
  #joins: Map<Membership, (why: FanfareError) => void> | undefined;
  /** Channel tokens, only while there are some: most clients have none. */
  #grants: Map<string, ChannelGrant> | undefined;
  /** Channels that the gateway put it on by itself. */
  #unasked: Set<string> | undefined;
  /** Channels that it was taken off and has not been told of. */
  #untold: Set<string> | undefined;

  /** @param limit most channels at a time */
  constructor(hub: Hub, subscriber: Subscriber, limit: number, listener: MembershipListener) {
    this.#hub = hub;
    this.#subscriber = subscriber;
    this.#limit = limit;
    this.#listener = listener;
  }

  /** How many channels it has asked for and waits for. */
  get joining(): number {
    return this.#joins?.size ?? 0;
  }

  /** How many channels it is on or joining. */
  get size(): number {
    return this.#memberships.size;
  }

  /** Names of the channels that it is on or joining. */
  names(): Iterable<string> {
    return this.#memberships.keys();
  }

  /** Where the client stands on each, as they come. */
  *standings(): Iterable<Standing> {
    for (const [
      channel,
      {
        isLive,
        position,
        channel: { head },
      },
    ] of this.#memberships)
      yield { channel, isLive, position, head };
  }

  /** Its place on a channel that it is on or joining. */
  on(channel: string): Membership | undefined {
    return this.#memberships.get(channel);
  }

  has(channel: string): boolean {
    return this.#memberships.has(channel);
  }

  /**
   * Brings the client onto a channel; on one that it is on already only with a position to start over from.
   * Resolves once it stands somewhere (the replay goes on), or its connection has ended.
   * @throws {FanfareError} `already_subscribed`, `limit_exceeded`, `unavailable`, or why it was taken off meanwhile
   */
  async subscribe(channel: ChannelPolicy, subscribing: Subscribing): Promise<void> {
    const { name } = channel;
    const { start, presence, isUnasked } = subscribing;
    const earlier = this.#memberships.get(name);
    if (earlier && !(start && 'since' in start) && !this.#unasked?.has(name))
      throw new FanfareError('already_subscribed', 'on that channel already');
    if (!earlier && this.#memberships.size >= this.#limit) {
      throw new FanfareError('limit_exceeded', `on ${this.#memberships.size} channels already`);
    }
    const membership = this.#hub.enter(channel, this.#subscriber);
    earlier?.leave();
    this.#memberships.set(name, membership);
    this.#note(name, subscribing);
    this.#untold?.delete(name);
    return new Promise<void>((resolve, reject) => {
      this.#joins ??= new Map();
      // Where nobody asked there is nothing to answer.
      this.#joins.set(membership, isUnasked ? () => resolve() : reject);
      let isAnswered = false;
      const onJoined = (joined: Joined) => {
        isAnswered = true;
        subscribing.onJoined(joined);
        resolve();
        // The answer may have been one too many for the connection.
        if (this.#memberships.get(name) === membership) this.#listener.onEntered(channel, presence);
      };
      const onFailed = (error: unknown) => {
        this.#remove(name, membership, 'failed');
        if (isAnswered) subscribing.onFailed(error);
        else reject(error);
      };
      // Over without an answer means that the connection has ended meanwhile.
      membership.channel.join(membership, start, onJoined).then(resolve, onFailed);
    }).finally(() => {
      this.#joins?.delete(membership);
      if (this.#joins?.size === 0) this.#joins = undefined;
    });
  }

  /** What a channel token allows the client while it is on that channel. */
  grantOn(channel: string): Grants | undefined {
    return this.#grants?.get(channel)?.grants;
  }

  /** Replaces the channel token of a channel that it is on. `false`: it is not. */
  renew(channel: string, grant: ChannelGrant): boolean {
    if (!this.#memberships.has(channel)) return false;
    this.#grants ??= new Map();
    this.#grants.set(channel, grant);
    return true;
  }

  /** Channels whose token fits. */
  granted(fits: (grant: ChannelGrant) => boolean): readonly string[] {
    return [...(this.#grants ?? [])].filter(([, grant]) => fits(grant)).map(([channel]) => channel);
  }

  /** Channels whose token has ended. @param nowMs since the Unix epoch */
  expired(nowMs: number): readonly string[] {
    return this.granted(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt <= nowMs);
  }

  /**
   * Takes the client off a channel, whether it is on it or not.
   * @param why it is taken off though it did not ask for that: the answer to a subscribe that has none yet
   */
  unsubscribe(channel: string, why?: FanfareError): void {
    const membership = this.#memberships.get(channel);
    if (membership) {
      this.#remove(channel, membership, 'left');
      if (why) this.#joins?.get(membership)?.(why);
    }
    this.#untold?.delete(channel);
  }

  /** Takes the client off all channels that send to it now, at once. Joins that still replay go on. */
  takeOff(): void {
    this.#untold ??= new Set();
    for (const [name, membership] of this.#memberships) {
      if (!membership.isLive) continue;
      this.#remove(name, membership, 'lagged');
      this.#untold.add(name);
    }
  }

  /** The channels that it was taken off since the last call, and has not subscribed to or left by itself since. */
  takeUntold(): readonly string[] {
    const untold = [...(this.#untold ?? [])];
    this.#untold = undefined;
    return untold;
  }

  /** The connection has ended. */
  end(): void {
    for (const [name, membership] of this.#memberships) this.#remove(name, membership, 'closed');
    this.#untold = undefined;
  }

  /** One that starts over without a token keeps the one it has. */
  #note(channel: string, { grant, isUnasked = false }: Subscribing): void {
    if (grant) this.renew(channel, grant);
    if (isUnasked) this.#unasked = new Set(this.#unasked).add(channel);
    else this.#unasked?.delete(channel);
  }

  #remove(channel: string, membership: Membership, cause: LeaveCause): void {
    membership.leave(cause);
    // Unless another has replaced it.
    if (this.#memberships.get(channel) !== membership) return;
    this.#memberships.delete(channel);
    this.#grants?.delete(channel);
    this.#unasked?.delete(channel);
    this.#listener.onLeft(channel, cause);
  }
}
