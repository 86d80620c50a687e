import type { Cancel } from '../../../clock.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { formatAddress, type RedisAddress } from '../../../redis/url.js';
import { PushSession, type PushSessionOptions, type PushSessionTimings } from './session.js';

export interface ShardConnectionOptions extends PushSessionOptions {
  readonly timings: ShardConnectionTimings;
}

export interface ShardConnectionTimings extends PushSessionTimings {
  readonly retry: BackoffTimings;
  /** Distrust rebuilds a connection at most once in this time, ms (jittered). */
  readonly distrustMs: number;
}

export interface ShardConnectionEvents {
  onUp(connection: ShardConnection): void;
  /** What it carried is lost; it is being connected anew. */
  onDown(connection: ShardConnection, reason: string): void;
  onPush(session: PushSession, name: string, record: Buffer): void;
  onGone(session: PushSession, names: string[]): void;
}

/** Keeps one session with one master: connects anew, with backoff, for as long as it is not closed. */
export class ShardConnection {
  /** `host:port` of the master. */
  readonly name: string;
  readonly #address: RedisAddress;
  readonly #options: ShardConnectionOptions;
  readonly #events: ShardConnectionEvents;
  readonly #backoff: Backoff;
  #session: PushSession | undefined;
  #problem: string | undefined = 'not connected yet';
  #upSince = 0;
  #trustedUntil = 0;
  #closed = false;
  #cancelRetry: Cancel | undefined;
  #cancelDistrust: Cancel | undefined;

  constructor(address: RedisAddress, options: ShardConnectionOptions, events: ShardConnectionEvents) {
    this.name = formatAddress(address);
    this.#address = address;
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.timings.retry, options.clock.random);
    void this.#connect();
  }

  /** Present while the master is known to serve. */
  get session(): PushSession | undefined {
    return this.#session;
  }

  /** Why there is no session. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Somebody has reason to believe that it does not deliver: drops and rebuilds it. */
  distrust(): void {
    const { clock, timings } = this.#options;
    if (this.#cancelDistrust) return;
    const waitMs = Math.max(0, this.#trustedUntil - clock.now());
    this.#cancelDistrust = clock.after(waitMs, () => {
      this.#cancelDistrust = undefined;
      this.#trustedUntil = clock.now() + timings.distrustMs * (0.5 + clock.random());
      this.#session?.lose('distrusted');
    });
  }

  /** Ends it; `onDown` is not called. */
  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelDistrust?.();
    this.#session?.end();
    this.#session = undefined;
  }

  async #connect(): Promise<void> {
    try {
      const session = await PushSession.open(this.#address, this.#options, {
        onPush: (name, record) => this.#events.onPush(session, name, record),
        onGone: (names) => this.#events.onGone(session, names),
        onLost: (reason) => this.#onLost(reason),
      });
      if (this.#closed) return session.end();
      this.#session = session;
      this.#problem = undefined;
      this.#upSince = this.#options.clock.now();
      this.#events.onUp(this);
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#retry();
    }
  }

  #onLost(reason: string): void {
    const { clock, timings } = this.#options;
    this.#session = undefined;
    this.#problem = reason;
    // One that ends soon after each success must not be tried ever faster.
    if (clock.now() - this.#upSince > timings.retry.maxMs) this.#backoff.reset();
    this.#retry();
    this.#events.onDown(this, reason);
  }

  #retry(): void {
    if (this.#closed) return;
    this.#cancelRetry = this.#options.clock.after(this.#backoff.next(), () => void this.#connect());
  }
}
