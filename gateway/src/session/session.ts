import type { CloseCode, RawDialect, RawServerFrame, Wire } from '@fanfare/protocol';
import type { ChannelGrant, Grants, Identity } from '../auth/authenticator.js';
import { type ErrorAnswer, FanfareError } from '../errors.js';
import type { LeaveCause } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import { count } from '../stats.js';
import type { Socket, SocketSession } from '../transport/transport.js';
import type { Client, Command } from './client.js';
import { runCommand } from './commands.js';
import type { Greeting, Speaker } from './conversation.js';
import { FrameGuard } from './frame-guard.js';
import type { Living } from './liveness.js';
import { type MembershipListener, Memberships } from './memberships.js';
import { OpenCommands } from './open-commands.js';
import type { Charge } from './rates.js';
import type { SessionServices } from './services.js';
import type { SessionOwner } from './session-owner.js';
import { SocketWriter, type Writing } from './socket-writer.js';

/** When a client that has too many unanswered commands is told to try again, ms. */
const OPEN_RETRY_MS = 100;

/** What a session is made of. */
interface SessionParts {
  readonly id: string;
  readonly socket: Socket;
  readonly entrance: string;
  readonly greeting: Greeting;
  readonly owner: SessionOwner<Session>;
  readonly services: SessionServices;
}

/**
 * The connection of one client: who it is, what it may send, and which channels it is on. How it speaks is the business
 * of its conversation, and what its commands do is the business of these.
 */
export class Session implements SocketSession, Client, Living, MembershipListener, Writing {
  readonly id: string;
  readonly entrance: string;
  readonly openedAtMs: number;
  readonly writer: SocketWriter;
  readonly memberships: Memberships;
  readonly guard: FrameGuard;
  readonly #socket: Socket;
  readonly #owner: SessionOwner<Session>;
  readonly #services: SessionServices;
  readonly #speaker: Speaker;
  #identity: Identity | undefined;
  /** The user of the last identity, which stays known when the session has ended. */
  #user: string | undefined;
  /** Whole ms, as `openedAtMs` is: a fraction would take a number object of its own. */
  #lastSeenMs: number;
  /** The commands that are not answered yet. Exists only while there are some, because most connections are idle. */
  #open: OpenCommands | undefined;
  #isClosed = false;

  constructor({ id, socket, entrance, greeting, owner, services }: SessionParts) {
    const { hub, clock, stats, limits } = services;
    this.id = id;
    this.entrance = entrance;
    this.openedAtMs = Math.floor(clock.now());
    this.writer = new SocketWriter(socket, greeting.dialect, clock, stats, this);
    this.memberships = new Memberships(hub, this.writer, limits.subscriptions, this);
    this.guard = new FrameGuard(limits, clock);
    this.#socket = socket;
    this.#owner = owner;
    this.#services = services;
    this.#lastSeenMs = this.openedAtMs;
    this.#speaker = greeting.speakTo(this);
  }

  get dialect(): RawDialect {
    return this.writer.dialect;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  // --- who it is -----------------------------------------------------------------------------------

  get identity(): Identity | undefined {
    return this.#identity;
  }

  authenticate(token: string | undefined): Identity | Promise<Identity> {
    const found = this.#services.authenticator.authenticate({ token, remoteAddress: this.remoteAddress });
    return found instanceof Promise ? found.then((one) => this.#admitted(one)) : this.#admitted(found);
  }

  /**
   * Returns the identity if one more session of its user may connect. A session that is connected already was counted
   * before.
   */
  #admitted(identity: Identity): Identity {
    if (!this.#identity) this.#owner.admit(identity);
    return identity;
  }

  readChannelToken(token: string): Promise<ChannelGrant> {
    return this.#services.authenticator.readChannelToken(token);
  }

  grantOn(channel: string): Grants | undefined {
    return this.memberships.grantOn(channel);
  }

  identify(identity: Identity): void {
    if (this.#isClosed) return;
    const before = this.#identity;
    this.#identity = identity;
    this.#user = identity.user;
    this.#owner.onIdentified(this, before);
    for (const listener of this.#listeners) {
      if (before) listener.onRefreshed?.(this);
      else listener.onConnected?.(this);
    }
  }

  /** Takes away what has ended by this time, ms since the Unix epoch: channel tokens, or the connection as a whole. */
  expire(nowMs: number): void {
    const { expiresAt = Number.POSITIVE_INFINITY } = this.#identity ?? {};
    if (expiresAt <= nowMs) {
      this.replyError(undefined, new FanfareError('token_expired', 'the token has expired'));
      this.close(4401, 'token_expired');
      return;
    }
    for (const channel of this.memberships.expired(nowMs)) {
      this.takeOff(channel, new FanfareError('token_expired', 'the token of the channel has expired'));
    }
  }

  /**
   * Ends what rests on a revoked token: the connection, or what a channel token gave. Returns whether there was
   * anything.
   */
  revoke(isRevoked: (token: Identity | ChannelGrant) => boolean): boolean {
    if (this.#identity && isRevoked(this.#identity)) {
      this.replyError(undefined, new FanfareError('unauthorized', 'the token was revoked'));
      this.close(4401, 'revoked');
      return true;
    }
    const channels = this.memberships.granted(isRevoked);
    for (const channel of channels) this.takeOff(channel, new FanfareError('unauthorized', 'the token was revoked'));
    return channels.length > 0;
  }

  takeOff(channel: string, why: FanfareError): void {
    const { code, message } = why;
    this.memberships.unsubscribe(channel, why);
    this.reply({ type: 'unsubscribed', channel, code, message });
  }

  /** Begins the conversation. The owner calls it once it knows the session. */
  begin(): void {
    this.#speaker.onOpen?.();
  }

  // --- what it sends -------------------------------------------------------------------------------

  onMessage(data: Uint8Array, binary: boolean): void {
    if (this.#isClosed) return;
    const { stats, clock } = this.#services;
    this.#lastSeenMs = Math.floor(clock.now());
    stats.framesReceived++;
    stats.bytesReceived += data.length;
    this.#speaker.onMessage(data, binary);
  }

  isGranted(id: number | undefined, charge: Charge): boolean {
    const retryAfterMs = this.guard.take(charge) || this.#owner.userWaitMs(this, charge);
    if (retryAfterMs > 0) this.#refuse(id, 'too fast', retryAfterMs);
    return retryAfterMs === 0;
  }

  channelWaitMs(channel: string): number {
    return this.#services.hub.has(channel) ? 0 : this.#owner.channelWaitMs(this);
  }

  /** Whether commands are not answered yet. */
  get isBusy(): boolean {
    return this.#open?.isBusy ?? false;
  }

  /** Resolves once all commands are answered. If there are some, new ones are refused from now on. */
  async answered(): Promise<void> {
    await this.#open?.answered();
  }

  run(command: Command, bytes: number): void {
    this.#open ??= new OpenCommands(this.#services.clock);
    if (this.#open.isEnding) {
      this.replyError(command.frame.id, new FanfareError('unavailable', 'the gateway stops'));
      return;
    }
    const done = this.#open.take(bytes);
    if (!done) {
      this.#refuse(command.frame.id, 'too much is unanswered', OPEN_RETRY_MS);
      return;
    }
    const { commands, onFault } = this.#services;
    void runCommand(this, command, commands, onFault).then(() => {
      done();
      if (this.#open?.isIdle) this.#open = undefined;
    });
  }

  /**
   * Refuses a frame that came too fast. A client that goes on regardless is closed, because refusing costs as much as
   * serving.
   */
  #refuse(id: number | undefined, message: string, retryAfterMs: number): void {
    this.#services.stats.rateLimited++;
    if (id !== undefined) this.replyError(id, { code: 'rate_limited', message, retryable: true, retryAfterMs });
    if (this.guard.refused()) this.close(4429, 'far over the rate limit');
  }

  // --- what it is sent -----------------------------------------------------------------------------

  reply(frame: RawServerFrame): void {
    const wire = this.#speaker.toWire(frame);
    if (wire !== undefined) this.writer.send(wire);
  }

  replySoon(frame: RawServerFrame): void {
    const wire = this.#speaker.toWire(frame);
    if (wire !== undefined) this.writer.sendSoon(wire);
  }

  async replyDrained(frame: RawServerFrame): Promise<void> {
    const wire = this.#speaker.toWire(frame);
    if (wire === undefined) return;
    do {
      await this.writer.drained();
    } while (!this.writer.sendReplayed(wire) && !this.#isClosed);
  }

  replyError(id: number | undefined, error: ErrorAnswer): void {
    if (this.#isClosed) return;
    count(this.#services.stats.errors, error.code);
    this.reply({
      type: 'error',
      ...(id !== undefined && { id }),
      code: error.code,
      message: error.message,
      retryable: error.retryable,
      ...(error.retryAfterMs !== undefined && { retryAfter: error.retryAfterMs }),
    });
  }

  // --- what its liveness asks and does --------------------------------------------------------------

  get lastSeenMs(): number {
    return this.#lastSeenMs;
  }

  get laggingSinceMs(): number | undefined {
    return this.writer.laggingSinceMs;
  }

  stalledSinceMs(nowMs: number): number | undefined {
    return this.writer.stalledSinceMs(nowMs);
  }

  subscribe(topic: string): void {
    this.#socket.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#socket.unsubscribe(topic);
  }

  // --- what the socket, the writer and the memberships tell -----------------------------------------

  onDropped(): void {
    this.writer.onDropped();
  }

  onDrain(): void {
    this.#lastSeenMs = Math.floor(this.#services.clock.now());
    this.writer.onDrain();
  }

  onLag(): void {
    this.memberships.takeOff();
    this.#owner.onLagging(this);
  }

  onCaughtUp(): Wire | undefined {
    this.#owner.onCaughtUp(this);
    const channels = this.memberships.takeUntold();
    return channels.length > 0 ? this.#speaker.toWire({ type: 'lagged', channels }) : undefined;
  }

  onOverflow(): void {
    this.close(4001, 'too many replies unread');
  }

  onEntered(channel: ChannelPolicy, presence: boolean): void {
    for (const listener of this.#listeners) listener.onEntered?.(this, channel, presence);
  }

  onLeft(channel: string, cause: LeaveCause): void {
    for (const listener of this.#listeners) listener.onLeft?.(this, channel, cause);
  }

  // --- its end -------------------------------------------------------------------------------------

  close(code: CloseCode, reason: string): void {
    if (this.#isClosed) return;
    this.#end();
    this.#socket.close(code, reason);
  }

  onClose(code: number, _reason: string): void {
    count(this.#services.stats.closes, code);
    this.#end();
    for (const listener of this.#listeners) listener.onGone?.(this, code, this.#user);
    this.#owner.onGone(this);
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.writer.end();
    this.memberships.end();
    this.#owner.onEnded(this);
    if (this.#identity) for (const listener of this.#listeners) listener.onClosed?.(this);
    this.#identity = undefined;
  }

  get #listeners() {
    return this.#services.listeners ?? [];
  }
}
