import { randomBytes } from 'node:crypto';
import type { CloseCode, RawDialect, ServerFrame, Wire } from '@fanfare/protocol';
import type { Identity } from '../auth/authenticator.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Membership } from '../hub/channel.js';
import { count } from '../stats.js';
import type { Socket, SocketSession } from '../transport/transport.js';
import { Turnstile } from '../turnstile.js';
import { ChannelTurns } from './channel-turns.js';
import { type Command, type Commander, runCommand } from './commands.js';
import { DrainQueue } from './drain-queue.js';
import { FrameGuard } from './frame-guard.js';
import type { Living } from './liveness.js';
import type { Charge } from './rates.js';
import { type ReadFrame, readFrame } from './read-frame.js';
import type { SessionServices } from './services.js';
import { Lag, PendingFrames } from './waiting.js';

/** Most bytes of commands that are not answered yet; each counts for its frame and what is kept besides. */
const MAX_OPEN_BYTES = 4 * 1024 * 1024;
const COMMAND_BYTES = 512;
const OPEN_RETRY_MS = 100;
/** Tasks of a connection that hold a page of a log at a time. */
const PAGES_AT_A_TIME = 2;
/** Tells sessions of this process from those of another life of the same node. */
const PROCESS = randomBytes(4).toString('hex');

let sessions = 0;

/** One client's connection: handshake, order of replies, lag, limits. Commands are in `commands.ts`. */
export class Session implements SocketSession, Commander, Living {
  readonly id: string;
  readonly dialect: RawDialect;
  readonly openedAtMs: number;
  lastSeenMs: number;
  readonly entrance = 'ws';
  /** Set once connected. */
  identity: Identity | undefined;
  /** Channels it is on or joining, by name. */
  readonly memberships = new Map<string, Membership>();
  readonly turns = new ChannelTurns();
  readonly #socket: Socket;
  readonly #services: SessionServices;
  /** From the upgrade request; used where `connect` brings none. */
  #token: string | undefined;
  #state: 'new' | 'authenticating' | 'connected' | 'closed' = 'new';
  #pending: PendingFrames | undefined;
  #lag: Lag | undefined;
  #soon: Wire[] | undefined;
  #draining: DrainQueue | undefined;
  #pages: Turnstile | undefined;
  #openBytes = 0;
  #stalledSinceMs: number | undefined;
  readonly #guard: FrameGuard;

  constructor(socket: Socket, dialect: RawDialect, token: string | undefined, services: SessionServices) {
    this.#socket = socket;
    this.#services = services;
    this.#token = token;
    this.dialect = dialect;
    this.id = `${services.node}-${PROCESS}-${(++sessions).toString(36)}`;
    this.openedAtMs = services.clock.now();
    this.#guard = new FrameGuard(services.limits, services.clock);
    this.lastSeenMs = this.openedAtMs;
    services.stats.connections++;
    services.stats.connectionsTotal++;
    services.liveness.opened(this);
  }

  // --- receiving ---------------------------------------------------------------------------------

  onMessage(data: Uint8Array, binary: boolean): void {
    if (this.#state === 'closed') return;
    const { stats, clock, limits } = this.#services;
    this.lastSeenMs = clock.now();
    stats.framesReceived++;
    stats.bytesReceived += data.length;
    if (binary !== this.dialect.binary) {
      this.#onMalformed(`${this.dialect.name} frames are ${this.dialect.binary ? 'binary' : 'text'}`);
    } else if (data.length > limits.frameBytes) {
      this.#onTooLarge(data);
    } else if (this.#state === 'authenticating') {
      this.#pending ??= new PendingFrames();
      if (!this.#pending.add(data)) this.#onMalformed('too much behind connect');
    } else {
      this.#receive(data);
    }
  }

  #receive(data: Uint8Array): void {
    const read = this.#read(data);
    if (!read.ok) {
      // A newer client may know more types than this gateway: no reason to cut it off.
      if (this.#state !== 'connected' || read.isKnownType) this.#onMalformed(read.message, read.id);
      else if (this.#isGranted(read.id, { bytes: data.length, isCommand: true, isPublish: false }))
        this.replyError(read.id, new FanfareError('bad_request', read.message));
      return;
    }
    const { frame } = read.command;
    if (this.#state === 'new') {
      if (frame.type === 'connect') this.#connect(frame.id, frame.token || this.#token);
      else this.#onMalformed('the first frame must be connect', 'id' in frame ? frame.id : undefined);
      return;
    }
    const { clock, timings } = this.#services;
    const isResume =
      frame.type === 'subscribe' && frame.since !== undefined && clock.now() - this.openedAtMs < timings.resumeGraceMs;
    const isCommand = frame.type !== 'pong' && !isResume;
    const id = frame.type === 'pong' ? undefined : frame.id;
    if (!this.#isGranted(id, { bytes: data.length, isCommand, isPublish: frame.type === 'publish' })) return;
    if (frame.type !== 'pong') this.#run(read.command, data.length);
  }

  #run(command: Command, bytes: number): void {
    const cost = bytes + COMMAND_BYTES;
    if (this.#openBytes > 0 && this.#openBytes + cost > MAX_OPEN_BYTES) {
      this.#refuse('id' in command.frame ? command.frame.id : undefined, 'too much is unanswered', OPEN_RETRY_MS);
      return;
    }
    this.#openBytes += cost;
    void runCommand(this, command, this.#services).then(() => {
      this.#openBytes -= cost;
    });
  }

  #read(data: Uint8Array): ReadFrame {
    return readFrame(this.dialect, data, this.#services.onFault);
  }

  /** Whether the connection's rates allow it; it is answered if not. */
  #isGranted(id: number | undefined, charge: Charge): boolean {
    const retryAfterMs = this.#guard.take(charge);
    if (retryAfterMs > 0) this.#refuse(id, 'too fast', retryAfterMs);
    return retryAfterMs === 0;
  }

  /** Answers what came too fast; whoever goes on regardless is sent away: refusing costs as much as serving. */
  #refuse(id: number | undefined, message: string, retryAfterMs: number): void {
    this.#services.stats.rateLimited++;
    if (id !== undefined) this.replyError(id, new FanfareError('rate_limited', message, { retryAfterMs }));
    if (this.#guard.refused()) this.close(4429, 'far over the rate limit');
  }

  #connect(id: number, token: string | undefined): void {
    this.#state = 'authenticating';
    this.#token = undefined;
    const refuse = (error: unknown) => {
      const refusal = toFanfareError(error);
      if (refusal.code === 'internal') this.#services.onFault('authentication failed', error);
      this.replyError(id, refusal);
      this.close(
        refusal.code === 'forbidden' ? 4403 : refusal.retryable || refusal.code === 'internal' ? 4003 : 4401,
        refusal.code,
      );
    };
    try {
      const identity = this.authenticate(token);
      if (identity instanceof Promise) identity.then((one) => this.#accept(id, one)).catch(refuse);
      else this.#accept(id, identity);
    } catch (error) {
      refuse(error);
    }
  }

  authenticate(token: string | undefined): Identity | Promise<Identity> {
    return this.#services.authenticator.authenticate({ token, remoteAddress: this.#socket.remoteAddress });
  }

  #accept(id: number, identity: Identity): void {
    if (this.#state !== 'authenticating') return;
    this.#state = 'connected';
    this.identity = identity;
    const { node, timings, limits, idempotencyMs, liveness } = this.#services;
    this.reply({
      type: 'connected',
      id,
      session: this.id,
      ...(identity.user !== undefined && { user: identity.user }),
      node,
      ping: timings.pingIntervalMs,
      ...(identity.expiresAt !== undefined && { expires: identity.expiresAt }),
      maxFrame: limits.frameBytes,
      idempotencyMs,
    });
    liveness.connected(this);
    const pending = this.#pending?.items ?? [];
    this.#pending = undefined;
    for (const data of pending) {
      if (this.#state === 'connected') this.#receive(data);
    }
  }

  #onMalformed(message: string, id?: number): void {
    this.#services.stats.malformed++;
    this.#violation(this.#guard.malformed(), new FanfareError('bad_request', message), 4400, id);
  }

  #onTooLarge(data: Uint8Array): void {
    const read = this.#read(data);
    const id = read.ok && 'id' in read.command.frame ? read.command.frame.id : read.ok ? undefined : read.id;
    const message = `frame of ${data.length} bytes is over maxFrame ${this.#services.limits.frameBytes}`;
    this.#violation(this.#guard.tooLarge(), new FanfareError('too_large', message), 4409, id);
  }

  /** Answered; it ends the connection at once before `connected`, and with the last of its kind that is borne. */
  #violation(isLast: boolean, error: FanfareError, closeCode: CloseCode, id: number | undefined): void {
    this.replyError(id, error);
    if (isLast || this.#state !== 'connected') this.close(closeCode, error.message);
  }

  // --- sending -----------------------------------------------------------------------------------

  /** Sends a reply or notice. Never dropped: while the socket lags it waits. */
  reply(frame: ServerFrame): void {
    this.send(this.dialect.encode(frame));
  }

  replyError(id: number | undefined, error: FanfareError): void {
    if (this.#state === 'closed') return;
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

  /**
   * Sends a reply that need not keep its place among the others, together with those of the same
   * turn: one by one behind an await, each would be a write of its own.
   */
  replySoon(frame: ServerFrame): void {
    const wire = this.dialect.encode(frame);
    if (this.#soon) {
      this.#soon.push(wire);
      return;
    }
    const wires = [wire];
    this.#soon = wires;
    this.#services.clock.soon(() => {
      this.#soon = undefined;
      this.cork(() => {
        for (const one of wires) this.send(one);
      });
    });
  }

  send(wire: Wire): void {
    if (this.#state === 'closed') return;
    if (!this.#lag) {
      if (this.#socket.send(wire, this.dialect.binary) !== 'dropped') return;
      this.#takeOff();
    }
    const lag = this.#lag as Lag | undefined;
    if (!lag) return;
    if (!lag.add(wire)) this.close(4001, 'too many replies unread');
  }

  sendReplayed(frame: Wire): boolean {
    if (this.#lag || this.#state === 'closed') return false;
    if (this.#socket.send(frame, this.dialect.binary) !== 'dropped') return true;
    this.#takeOff();
    return false;
  }

  cork(callback: () => void): void {
    this.#socket.cork(callback);
  }

  subscribe(topic: string): void {
    this.#socket.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#socket.unsubscribe(topic);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get isLagging(): boolean {
    return this.#lag !== undefined;
  }

  get isDrained(): boolean {
    return this.#lag === undefined && this.#socket.bufferedBytes === 0;
  }

  drained(): Promise<void> {
    if (this.isDrained || this.#state === 'closed') return Promise.resolve();
    this.#draining ??= new DrainQueue(this.#services.clock, () => this.isDrained);
    return this.#draining.wait();
  }

  oneOfFew(task: () => Promise<void>): Promise<void> {
    this.#pages ??= new Turnstile(PAGES_AT_A_TIME);
    return this.#pages.run(task);
  }

  // --- lag ---------------------------------------------------------------------------------------

  get laggingSinceMs(): number | undefined {
    return this.#lag?.sinceMs;
  }

  onDropped(): void {
    this.#services.stats.dropped++;
    this.#takeOff();
  }

  /**
   * Off all topics, at once: the frames accepted so far are a contiguous prefix, and nothing may
   * follow the hole. Joins that still replay go on: they wait for the socket by themselves.
   */
  #takeOff(): void {
    if (this.#lag || this.#state === 'closed') return;
    const { stats, clock, liveness } = this.#services;
    stats.lagged++;
    const channels = new Set<string>();
    for (const [name, membership] of this.memberships) {
      if (!membership.isLive) continue;
      membership.leave();
      this.memberships.delete(name);
      channels.add(name);
    }
    this.#lag = new Lag(clock.now(), channels);
    liveness.lagging(this);
    // A frame larger than the whole buffer is dropped with nothing to drain.
    clock.soon(() => this.#catchUp());
  }

  forgetLag(channel: string): void {
    this.#lag?.channels.delete(channel);
  }

  stalledSinceMs(nowMs: number): number | undefined {
    if (this.#socket.bufferedBytes > 0) {
      this.#stalledSinceMs ??= nowMs;
      return this.#stalledSinceMs;
    }
    this.#stalledSinceMs = undefined;
    // uWebSockets.js writes on when a frame comes in, and does not say so.
    this.#catchUp();
    return undefined;
  }

  onDrain(): void {
    this.#stalledSinceMs = undefined;
    this.lastSeenMs = this.#services.clock.now();
    this.#catchUp();
  }

  #catchUp(): void {
    if (this.#state === 'closed' || this.#socket.bufferedBytes > 0) return;
    const lag = this.#lag;
    if (lag) {
      this.#lag = undefined;
      this.#services.liveness.caughtUp(this);
      this.cork(() => {
        if (lag.channels.size > 0) this.reply({ type: 'lagged', channels: [...lag.channels] });
        for (const wire of lag.items) this.send(wire);
      });
    }
    this.#draining?.wake();
  }

  // --- ending ------------------------------------------------------------------------------------

  close(code: CloseCode, reason: string): void {
    if (this.#state === 'closed') return;
    this.#end();
    this.#socket.close(code, reason);
  }

  onClose(code: number, _reason: string): void {
    count(this.#services.stats.closes, code);
    this.#services.stats.connections--;
    this.#end();
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.identity = undefined;
    this.#lag = undefined;
    this.#pending = undefined;
    for (const membership of this.memberships.values()) membership.leave();
    this.memberships.clear();
    this.#draining?.end();
    this.#services.liveness.closed(this);
  }
}
