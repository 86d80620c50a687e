import {
  type CloseCode,
  type ErrorCode,
  MalformedFrameError,
  type RawDialect,
  type ServerFrame,
  type Wire,
} from '@fanfare/protocol';
import { CLIENT_FRAMES, parseClientFrame } from '@fanfare/protocol/validate';
import type { Identity } from '../auth/authenticator.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Membership } from '../hub/channel.js';
import { count } from '../stats.js';
import type { Socket, SocketSession } from '../transport/transport.js';
import { Turnstile } from '../turnstile.js';
import { ChannelTurns } from './channel-turns.js';
import { type Caller, type Command, runCommand } from './commands.js';
import type { Living } from './liveness.js';
import { RateLimiter } from './rate-limiter.js';
import type { SessionServices } from './services.js';

/** Most bytes of frames that wait behind an unanswered `connect`, and of replies to a socket that lags. */
const MAX_WAITING_BYTES = 64 * 1024;
/** Protocol violations within a minute that end a connection. */
const MAX_VIOLATIONS = 10;
const VIOLATIONS_WINDOW_MS = 60_000;

/** What waits while the client has not read what it was sent. */
interface Lag {
  readonly sinceMs: number;
  /** Channels it was taken off and has not been told of. */
  readonly channels: Set<string>;
  readonly replies: Wire[];
  replyBytes: number;
}

let sessions = 0;

/** One client's connection: handshake, order of replies, lag, limits. Commands are in `commands.ts`. */
export class Session implements SocketSession, Caller, Living {
  readonly id: string;
  readonly dialect: RawDialect;
  readonly dialectIndex: number;
  readonly openedAtMs: number;
  lastSeenMs: number;
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
  #pending: Uint8Array[] | undefined;
  #lag: Lag | undefined;
  #soon: Wire[] | undefined;
  #drainWaiters: (() => void)[] | undefined;
  #large: Turnstile | undefined;
  #violations = 0;
  #violationsSinceMs = 0;
  #limiters: { commands: RateLimiter; bytes: RateLimiter; publishes: RateLimiter } | undefined;

  constructor(socket: Socket, dialectIndex: number, token: string | undefined, services: SessionServices) {
    this.#socket = socket;
    this.#services = services;
    this.#token = token;
    this.dialectIndex = dialectIndex;
    this.dialect = services.hub.outbox.dialects[dialectIndex] as RawDialect;
    this.id = `${services.node}-${(++sessions).toString(36)}`;
    this.openedAtMs = services.clock.now();
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
    if (data.length > limits.frameBytes) {
      this.#violation('too_large', `frame of ${data.length} bytes is over maxFrame ${limits.frameBytes}`, 4409);
      return;
    }
    if (this.#state === 'authenticating') {
      this.#wait(data);
      return;
    }
    if (binary !== this.dialect.binary) {
      this.#malformed(`${this.dialect.name} frames are ${this.dialect.binary ? 'binary' : 'text'}`);
      return;
    }
    this.#receive(data);
  }

  #receive(data: Uint8Array): void {
    let command: Command;
    try {
      const { fields, payload } = this.dialect.decodeRaw(data);
      const parsed = parseClientFrame(fields, payload !== undefined);
      if (!parsed.ok) {
        // A newer client may know more types than this gateway: no reason to cut it off.
        if (this.#state === 'connected' && !isKnownType(fields.type)) {
          this.replyError(parsed.id, new FanfareError('bad_request', parsed.message));
        } else {
          this.#malformed(parsed.message, parsed.id);
        }
        return;
      }
      command = { frame: parsed.frame, payload };
    } catch (error) {
      if (!(error instanceof MalformedFrameError)) this.#services.onFault('decoding failed', error);
      this.#malformed(
        error instanceof MalformedFrameError ? error.message : 'malformed frame',
        (error as MalformedFrameError).id,
      );
      return;
    }
    const { frame } = command;
    if (this.#state === 'new') {
      if (frame.type === 'connect') this.#connect(frame.id, frame.token ?? this.#token);
      else this.#malformed('the first frame must be connect');
      return;
    }
    if (frame.type === 'pong') return;
    const retryAfterMs = this.#overRate(command, data.length);
    if (retryAfterMs > 0) {
      this.#services.stats.rateLimited++;
      this.replyError(frame.id, new FanfareError('rate_limited', 'too fast', { retryAfterMs }));
      return;
    }
    runCommand(this, command, this.#services);
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
    const { node, timings, limits, broker, liveness } = this.#services;
    this.reply({
      type: 'connected',
      id,
      session: this.id,
      ...(identity.user !== undefined && { user: identity.user }),
      node,
      ping: timings.pingIntervalMs,
      ...(identity.expiresAt !== undefined && { expires: identity.expiresAt }),
      maxFrame: limits.frameBytes,
      idempotencyMs: broker.idempotencyMs,
    });
    liveness.connected(this);
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const data of pending) {
      if (this.#state === 'connected') this.#receive(data);
    }
  }

  /** Frames behind `connect`, handled once it is accepted. */
  #wait(data: Uint8Array): void {
    this.#pending ??= [];
    const bytes = this.#pending.reduce((sum, one) => sum + one.length, data.length);
    if (bytes > MAX_WAITING_BYTES) this.close(4400, 'too much behind connect');
    else this.#pending.push(new Uint8Array(data));
  }

  #overRate({ frame }: Command, bytes: number): number {
    const { limits, clock, timings } = this.#services;
    const now = clock.now();
    const { commandsPerSecond, bytesPerSecond, publishesPerSecond } = limits;
    if (Math.min(commandsPerSecond, bytesPerSecond, publishesPerSecond) === Number.POSITIVE_INFINITY) return 0;
    this.#limiters ??= {
      commands: new RateLimiter(commandsPerSecond, now),
      bytes: new RateLimiter(bytesPerSecond, now),
      publishes: new RateLimiter(publishesPerSecond, now),
    };
    const { commands, bytes: byteRate, publishes } = this.#limiters;
    const resumes = frame.type === 'subscribe' && frame.since && now - this.openedAtMs < timings.resumeGraceMs;
    return (
      byteRate.take(bytes, now) ||
      (resumes ? 0 : commands.take(1, now)) ||
      (frame.type === 'publish' ? publishes.take(1, now) : 0)
    );
  }

  #malformed(message: string, id?: number): void {
    this.#services.stats.malformed++;
    if (this.#state === 'connected') {
      this.#violation('bad_request', message, 4400, id);
    } else {
      this.replyError(id, new FanfareError('bad_request', message));
      this.close(4400, message);
    }
  }

  #violation(code: ErrorCode, message: string, closeCode: CloseCode, id?: number): void {
    this.replyError(id, new FanfareError(code, message));
    const now = this.#services.clock.now();
    if (now - this.#violationsSinceMs > VIOLATIONS_WINDOW_MS) {
      this.#violations = 0;
      this.#violationsSinceMs = now;
    }
    if (++this.#violations >= MAX_VIOLATIONS) this.close(closeCode, message);
  }

  // --- sending -----------------------------------------------------------------------------------

  /** Sends a reply or notice. Never dropped: while the socket lags it waits. */
  reply(frame: ServerFrame): void {
    this.send(this.dialect.encode(frame));
  }

  replyError(id: number | undefined, error: FanfareError): void {
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
    lag.replies.push(wire);
    lag.replyBytes += wire.length;
    if (lag.replyBytes > MAX_WAITING_BYTES) this.close(4001, 'too many replies unread');
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

  get isDrained(): boolean {
    return this.#lag === undefined && this.#socket.bufferedBytes === 0;
  }

  drained(): Promise<void> {
    if (this.isDrained) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  oneByOne(task: () => Promise<void>): Promise<void> {
    this.#large ??= new Turnstile(1);
    return this.#large.run(task);
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
    this.#lag = { sinceMs: clock.now(), channels, replies: [], replyBytes: 0 };
    liveness.lagging(this);
    // A frame larger than the whole buffer is dropped with nothing to drain.
    clock.soon(() => this.#catchUp());
  }

  forgetLag(channel: string): void {
    this.#lag?.channels.delete(channel);
  }

  onDrain(): void {
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
        for (const wire of lag.replies) this.send(wire);
      });
    }
    if (!this.isDrained || !this.#drainWaiters) return;
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    for (const resolve of waiters) resolve();
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
    this.#drainWaiters = undefined;
    for (const membership of this.memberships.values()) membership.leave();
    this.memberships.clear();
    this.#services.liveness.closed(this);
  }
}

function isKnownType(type: unknown): boolean {
  return typeof type !== 'string' || Object.hasOwn(CLIENT_FRAMES, type);
}
