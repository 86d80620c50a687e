import { randomBytes } from 'node:crypto';
import type { Identity } from '../auth/authenticator.js';
import { sleep } from '../clock.js';
import type { FanfareError } from '../errors.js';
import type { Socket } from '../transport/transport.js';
import { Admission, type AdmissionLimits, tooManyReason, UNLIMITED, type UserRates } from './admission.js';
import type { Conversation, Greeting } from './conversation.js';
import { Expiry } from './expiry.js';
import { Liveness, type LivenessTimings } from './liveness.js';
import type { Charge } from './rates.js';
import type { SessionServices } from './services.js';
import { Session } from './session.js';
import type { SessionOwner } from './session-owner.js';

/** How long publishes that came before the drain may still take to be answered, ms. */
const SETTLE_MS = 2_000;

interface SessionsOptions {
  readonly services: SessionServices;
  /** Name of this gateway. Every session id begins with it. */
  readonly node: string;
  readonly timings: LivenessTimings;
  /** Limits of how many clients are let in. Default: none. */
  readonly admission?: AdmissionLimits;
}

/** What this gateway has of one user. */
interface UserSessions {
  readonly sessions: Set<Session>;
  readonly rates: UserRates;
}

/** All sessions of this gateway, from the open socket until it is gone. */
export class Sessions implements SessionOwner<Session> {
  readonly #services: SessionServices;
  readonly #liveness: Liveness;
  readonly #expiry: Expiry;
  /** Beginning of the ids of this process, which differs from that of another life of the same node. */
  readonly #prefix: string;
  readonly #byId = new Map<string, Session>();
  /** The sessions that have a user, by user. */
  readonly #byUser = new Map<string, UserSessions>();
  readonly #admission: Admission;
  /** How many sessions there are from each address. */
  readonly #atAddress = new Map<string, number>();
  #opened = 0;
  #isDraining = false;

  constructor({ services, node, timings, admission = UNLIMITED }: SessionsOptions) {
    this.#services = services;
    this.#liveness = new Liveness(services.hub.scheduler, services.clock, timings);
    this.#expiry = new Expiry(this, services.clock);
    this.#admission = new Admission(admission, services.clock, services.stats);
    this.#prefix = `${node}-${randomBytes(4).toString('hex')}-`;
  }

  /** Makes the session of a client whose socket is open. */
  open(socket: Socket, conversation: Conversation, greeting: Greeting): Session {
    const session = new Session({
      id: this.#prefix + (++this.#opened).toString(36),
      socket,
      entrance: conversation.entrance,
      greeting,
      owner: this,
      services: this.#services,
    });
    const { remoteAddress } = socket;
    const tooMany = this.#admission.refusal(this.#byId.size, this.atAddress(remoteAddress));
    const { stats } = this.#services;
    stats.connections++;
    stats.connectionsTotal++;
    this.#byId.set(session.id, session);
    this.#atAddress.set(remoteAddress, this.atAddress(remoteAddress) + 1);
    const { refusal } = greeting;
    if (refusal) session.close(refusal.code, refusal.reason);
    else if (tooMany) this.#turnAway(session, tooMany);
    else this.#begin(session);
    return session;
  }

  #begin(session: Session): void {
    session.begin();
    if (!session.isClosed && !session.identity) this.#await(session);
  }

  /**
   * Waits until the client has said who it is. If too many have not, the one that has taken longest is closed, so that
   * nobody can keep others out by being slow.
   */
  #await(session: Session): void {
    const oldest = this.#liveness.opened(session, this.#admission.limits.pendingConnections);
    if (oldest) this.#turnAway(oldest, this.#admission.tooSlow());
  }

  #turnAway(session: Pick<Session, 'replyError' | 'close'>, error: FanfareError): void {
    session.replyError(undefined, error);
    session.close(4429, tooManyReason(error));
  }

  /** How many sessions there are, including those whose socket is still closing. */
  get size(): number {
    return this.#byId.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#byId.values();
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  /** The sessions that this user has now. */
  ofUser(user: string): ReadonlySet<Session> {
    return this.#byUser.get(user)?.sessions ?? NONE;
  }

  /** How many sessions come from this address. */
  atAddress(address: string): number {
    return this.#atAddress.get(address) ?? 0;
  }

  /** Whether all clients are being sent elsewhere, so that nobody new should be let in. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * Sends all clients elsewhere, and tells each when to come back there. Each has a part of `spreadMs` of its own, so
   * that they come at an even rate. A client with commands under way is told once these are answered, at the latest
   * after {@link SETTLE_MS}. Resolves once all are told.
   */
  async drain(spreadMs: number): Promise<void> {
    this.#isDraining = true;
    const { clock } = this.#services;
    const sessions = shuffled([...this], () => clock.random());
    const partMs = spreadMs / Math.max(1, sessions.length);
    await Promise.all(
      sessions.map(async (session, index) => {
        if (session.isBusy) await Promise.race([session.answered(), sleep(clock, SETTLE_MS)]);
        session.close(4000, JSON.stringify({ retryAfter: Math.floor((index + clock.random()) * partMs) }));
      }),
    );
  }

  /** Stops the timers. The sockets are ended by the transport. */
  close(): void {
    this.#liveness.stop();
    this.#expiry.stop();
  }

  admit({ user }: Identity): void {
    const refusal = user === undefined ? undefined : this.#admission.userRefusal(this.ofUser(user).size);
    if (refusal) throw refusal;
  }

  userWaitMs({ identity }: Session, charge: Charge): number {
    const known = identity?.user === undefined ? undefined : this.#byUser.get(identity.user);
    return known ? this.#admission.userWaitMs(known.rates, charge) : 0;
  }

  channelWaitMs(session: Session): number {
    return this.#admission.channelWaitMs(session.memberships.joining);
  }

  onIdentified(session: Session, before: Identity | undefined): void {
    const user = session.identity?.user;
    if (before === undefined) this.#liveness.connected(session);
    else if (before.user === user) return;
    else this.#forgetUser(session, before.user);
    if (user === undefined) return;
    const known = this.#byUser.get(user);
    if (known) {
      known.sessions.add(session);
      return;
    }
    this.#byUser.set(user, { sessions: new Set([session]), rates: this.#admission.newUserRates() });
  }

  onLagging(session: Session): void {
    this.#liveness.lagging(session);
  }

  onCaughtUp(session: Session): void {
    this.#liveness.caughtUp(session);
  }

  onEnded(session: Session): void {
    this.#liveness.closed(session);
    this.#forgetUser(session, session.identity?.user);
  }

  onGone(session: Session): void {
    this.#services.stats.connections--;
    this.#byId.delete(session.id);
    const { remoteAddress } = session;
    const left = this.atAddress(remoteAddress) - 1;
    if (left > 0) this.#atAddress.set(remoteAddress, left);
    else this.#atAddress.delete(remoteAddress);
  }

  #forgetUser(session: Session, user: string | undefined): void {
    if (user === undefined) return;
    const sessions = this.#byUser.get(user)?.sessions;
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byUser.delete(user);
  }
}

const NONE: ReadonlySet<Session> = new Set();

/**
 * The items in random order (Fisher and Yates), so that those who came first do not always wait longest, or shortest.
 */
function shuffled<Item>(items: Item[], random: () => number): Item[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other] as Item, items[last] as Item];
  }
  return items;
}
