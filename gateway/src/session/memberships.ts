import type { ChannelGrant, Grants } from '../auth/authenticator.js';
import type { LogPosition } from '../broker/record.js';
import { FanfareError } from '../errors.js';
import type { Membership } from '../hub/channel.js';
import type { Hub } from '../hub/hub.js';
import type { Joined, LeaveCause, Start, Subscriber } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import { ChannelTurns } from './channel-turns.js';
import { SmallMap } from './small-map.js';

/** How a client is brought onto a channel, and what is called about it. */
interface Subscribing {
  readonly start: Start;
  /** Whether the client wants to be a member of the channel's presence, and to hear of the others. */
  readonly presence: boolean;
  /** What else the client may do there, by the token that it gave, and until when. */
  readonly grant?: ChannelGrant | undefined;
  /**
   * Whether the gateway does it by itself, without a `subscribe` of the client. If the client subscribes later, that is
   * its first subscribe. Default false.
   */
  readonly isUnasked?: boolean;
  /**
   * Called once, before the first replayed frame, with where the client stands. Everything that follows is contiguous
   * from there.
   */
  onJoined(joined: Joined): void;
  /** Called if the replay failed after that. The client is off the channel then. */
  onFailed(error: unknown): void;
}

/** Is told when a client comes onto channels and leaves them. */
export interface MembershipListener {
  /**
   * Called when the client is on the channel and was told so, and once more each time that it starts over from another
   * position.
   */
  onEntered(channel: ChannelPolicy, presence: boolean): void;
  /** Called when a client that was on the channel, or about to be, no longer is. */
  onLeft(channel: string, cause: LeaveCause): void;
}

/** Where a client stands on one of its channels. Channels without a log have no positions. */
interface Standing {
  readonly channel: string;
  /** Whether the client gets what is published. If not, it is joining or catching up. */
  readonly isLive: boolean;
  readonly position: LogPosition | undefined;
  /** Where the log ends, as far as this gateway knows. */
  readonly head: LogPosition | undefined;
}

/** The channels that one client is on or joining. */
export class Memberships {
  /** Keeps the commands for each channel in order. */
  readonly turns = new ChannelTurns();
  readonly #hub: Hub;
  readonly #subscriber: Subscriber;
  readonly #limit: number;
  readonly #listener: MembershipListener;
  readonly #memberships = new SmallMap<string, Membership>();
  /**
   * For each join that is not answered yet, the function that ends it if the client is taken off before. The map exists
   * only while there are some.
   */
  #joins: Map<Membership, (why: FanfareError) => void> | undefined;
  /** Channel tokens. The map exists only while there are some, because most clients have none. */
  #grants: Map<string, ChannelGrant> | undefined;
  /** Channels that the gateway put the client on by itself. */
  #unasked: Set<string> | undefined;
  /** Channels that the client was taken off without having been told so. */
  #untold: Set<string> | undefined;

  /** @param limit most channels at a time */
  constructor(hub: Hub, subscriber: Subscriber, limit: number, listener: MembershipListener) {
    this.#hub = hub;
    this.#subscriber = subscriber;
    this.#limit = limit;
    this.#listener = listener;
  }

  /** How many channels the client has asked for and still waits for. */
  get joining(): number {
    return this.#joins?.size ?? 0;
  }

  /** How many channels the client is on or joining. */
  get size(): number {
    return this.#memberships.size;
  }

  /** Names of the channels that the client is on or joining. */
  names(): Iterable<string> {
    return this.#memberships.keys();
  }

  /** Where the client stands on each of its channels, in no particular order. */
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

  /** The client's place on a channel that it is on or joining. */
  on(channel: string): Membership | undefined {
    return this.#memberships.get(channel);
  }

  has(channel: string): boolean {
    return this.#memberships.has(channel);
  }

  /** Throws what {@link subscribe} would throw at once. @throws {FanfareError} `already_subscribed`, `limit_exceeded` */
  checkRoom(channel: string, start: Start): void {
    const isOn = this.#memberships.has(channel);
    if (isOn && !(start && 'since' in start) && !this.#unasked?.has(channel))
      throw new FanfareError('already_subscribed', 'on that channel already');
    if (!isOn && this.#memberships.size >= this.#limit)
      throw new FanfareError('limit_exceeded', `on ${this.#memberships.size} channels already`);
  }

  /**
   * Brings the client onto a channel. If it is on the channel already, that needs a position from which it starts over.
   * Resolves once it is known where the client stands, while the replay may go on, or once its connection has ended.
   * @throws {FanfareError} `already_subscribed`, `limit_exceeded`, `unavailable`, or the reason why it was taken off
   * meanwhile
   */
  async subscribe(channel: ChannelPolicy, subscribing: Subscribing): Promise<void> {
    const { name } = channel;
    const { start, presence, isUnasked } = subscribing;
    this.checkRoom(name, start);
    const earlier = this.#memberships.get(name);
    const membership = this.#hub.enter(channel, this.#subscriber);
    earlier?.leave();
    this.#memberships.set(name, membership);
    this.#note(name, subscribing);
    this.#untold?.delete(name);
    return new Promise<void>((resolve, reject) => {
      this.#joins ??= new Map();
      // If nobody asked for it, there is nothing to answer.
      this.#joins.set(membership, isUnasked ? () => resolve() : reject);
      let isAnswered = false;
      const onJoined = (joined: Joined) => {
        isAnswered = true;
        subscribing.onJoined(joined);
        resolve();
        // The answer may have been too much for the connection, which is closed then.
        if (this.#memberships.get(name) === membership) this.#listener.onEntered(channel, presence);
      };
      const onFailed = (error: unknown) => {
        this.#remove(name, membership, 'failed');
        if (isAnswered) subscribing.onFailed(error);
        else reject(error);
      };
      // If the join is over without an answer, the connection has ended meanwhile.
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

  /** Replaces the channel token of a channel that the client is on. Returns `false` if it is not on the channel. */
  renew(channel: string, grant: ChannelGrant): boolean {
    if (!this.#memberships.has(channel)) return false;
    this.#grants ??= new Map();
    this.#grants.set(channel, grant);
    return true;
  }

  /** The channels of which the client has a channel token that fits. */
  granted(fits: (grant: ChannelGrant) => boolean): readonly string[] {
    return [...(this.#grants ?? [])].filter(([, grant]) => fits(grant)).map(([channel]) => channel);
  }

  /** The channels whose channel token has ended. @param nowMs the time, ms since the Unix epoch */
  expired(nowMs: number): readonly string[] {
    return this.granted(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt <= nowMs);
  }

  /**
   * Takes the client off a channel. Does nothing if it is not on it.
   * @param why the reason, if the client did not ask for that; a subscribe that is not answered yet is answered with it
   */
  unsubscribe(channel: string, why?: FanfareError): void {
    const membership = this.#memberships.get(channel);
    if (membership) {
      this.#remove(channel, membership, 'left');
      if (why) this.#joins?.get(membership)?.(why);
    }
    this.#untold?.delete(channel);
  }

  /** Takes the client off all channels that send to it now. Joins that still replay go on. */
  takeOff(): void {
    this.#untold ??= new Set();
    for (const [name, membership] of this.#memberships) {
      if (!membership.isLive) continue;
      this.#remove(name, membership, 'lagged');
      this.#untold.add(name);
    }
  }

  /**
   * The channels that the client was taken off since the last call, without those that it has subscribed to or left by
   * itself since.
   */
  takeUntold(): readonly string[] {
    const untold = [...(this.#untold ?? [])];
    this.#untold = undefined;
    return untold;
  }

  /** To be called when the connection has ended: takes the client off all channels. */
  end(): void {
    for (const [name, membership] of this.#memberships) this.#remove(name, membership, 'closed');
    this.#untold = undefined;
  }

  /** A client that starts over without a token keeps the token that it has. */
  #note(channel: string, { grant, isUnasked = false }: Subscribing): void {
    if (grant) this.renew(channel, grant);
    if (isUnasked) this.#unasked = new Set(this.#unasked).add(channel);
    else this.#unasked?.delete(channel);
  }

  #remove(channel: string, membership: Membership, cause: LeaveCause): void {
    membership.leave(cause);
    // Another membership may have replaced this one.
    if (this.#memberships.get(channel) !== membership) return;
    this.#memberships.delete(channel);
    this.#grants?.delete(channel);
    this.#unasked?.delete(channel);
    this.#listener.onLeft(channel, cause);
  }
}
