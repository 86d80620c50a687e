import type { ChannelGrant, Identity } from '../auth/authenticator.js';
import type { Cancel, Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import type { Stats } from '../stats.js';
import { concerns, type Revocation, type RevocationStore } from './revocation.js';

interface RevocationsOptions {
  /** Where revocations are kept. Absent: in this process only. */
  readonly store?: RevocationStore | undefined;
  readonly clock: Clock;
  readonly stats: Stats;
  /** Called with a revocation that this gateway did not know, to enforce it on those who are connected. */
  readonly onNew: (revocation: Revocation) => void;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

/**
 * How often the store is read, ms. Gateways tell each other of revocations at once; this finds those that were not
 * heard.
 */
const POLL_MS = 5_000;
const RETRY_MS = 500;

/** Most revocations that hold at a time, since each gateway has all of them in memory. */
const MAX_REVOCATIONS = 100_000;

/**
 * The revocations that hold now, as far as this gateway was told or has read. Until it has read them once, nobody with
 * a token is let in: a gateway that starts while they cannot be read would otherwise let in those who were shut out.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #known = new Map<string, Revocation>();
  #version = '';
  #isRead: boolean;
  #timer: Cancel = () => {};
  #isClosed = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#isRead = options.store === undefined;
  }

  /** Reads the revocations, and goes on looking for new ones. Resolves after the first attempt, even if it failed. */
  start(): Promise<void> {
    return this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer();
  }

  /**
   * Stores a revocation, so that it outlasts this gateway. @throws {FanfareError} `unavailable` or `limit_exceeded`: it
   * does not hold then
   */
  async keep(revocation: Revocation): Promise<void> {
    this.#forgetEnded();
    if (this.#known.size >= MAX_REVOCATIONS && !this.#known.has(nameOf(revocation)))
      throw new FanfareError('limit_exceeded', `${MAX_REVOCATIONS} revocations hold already`);
    await this.#options.store?.write([revocation]);
  }

  /**
   * Makes a revocation hold from now on. Returns what holds: of two revocations for the same user or token, the later
   * times.
   */
  add(revocation: Revocation): Revocation {
    const name = nameOf(revocation);
    const earlier = this.#known.get(name);
    const holds = earlier ? latest(earlier, revocation) : revocation;
    if (holds.untilMs <= this.#options.clock.wall()) return holds;
    this.#known.set(name, holds);
    this.#options.stats.revocations = this.#known.size;
    if (holds.atMs !== earlier?.atMs) this.#options.onNew(holds);
    return holds;
  }

  /** @throws {FanfareError} `unauthorized` if the token is revoked, `unavailable` if that is not known yet */
  check<Token extends Identity | ChannelGrant>(token: Token): Token {
    const { user, tokenId } = token;
    if (user === undefined && tokenId === undefined) return token;
    if (!this.#isRead)
      throw new FanfareError('unavailable', 'what was revoked is not known yet', { retryAfterMs: 1_000 });
    if (this.#isRevoked('user', user, token) || this.#isRevoked('token', tokenId, token))
      throw new FanfareError('unauthorized', 'the token was revoked');
    return token;
  }

  #isRevoked(kind: Revocation['kind'], id: string | undefined, token: Identity | ChannelGrant): boolean {
    const found = id === undefined ? undefined : this.#known.get(`${kind} ${id}`);
    return found !== undefined && found.untilMs > this.#options.clock.wall() && concerns(found, token);
  }

  async #poll(): Promise<void> {
    let delayMs = POLL_MS;
    try {
      await this.#read();
      this.#isRead = true;
    } catch (error) {
      delayMs = RETRY_MS;
      if (!(error instanceof FanfareError)) this.#options.onFault('reading revocations failed', error);
    }
    this.#forgetEnded();
    if (!this.#isClosed) this.#timer = this.#options.clock.after(delayMs, () => void this.#poll());
  }

  async #read(): Promise<void> {
    const { store } = this.#options;
    const before = [...this.#known.values()];
    const found = await store?.read(this.#version);
    if (!store || !found) return;
    for (const one of found.revocations) this.add(one);
    this.#version = found.version;
    // A failover may have lost revocations that this gateway remembers.
    const stored = new Set(found.revocations.map(nameOf));
    const lost = before.filter((one) => !stored.has(nameOf(one)) && this.#known.has(nameOf(one)));
    if (lost.length > 0) await store.write(lost);
  }

  #forgetEnded(): void {
    const now = this.#options.clock.wall();
    for (const [name, { untilMs }] of this.#known) if (untilMs <= now) this.#known.delete(name);
    this.#options.stats.revocations = this.#known.size;
  }
}

function nameOf({ kind, id }: Revocation): string {
  return `${kind} ${id}`;
}

function latest(a: Revocation, b: Revocation): Revocation {
  return { ...b, atMs: Math.max(a.atMs, b.atMs), untilMs: Math.max(a.untilMs, b.untilMs) };
}
