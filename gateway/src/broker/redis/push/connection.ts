import type { Cancel } from '../../../clock.js';
import { Backoff, type BackoffTimings } from '../../../redis/backoff.js';
import { formatAddress, type RedisAddress } from '../../../redis/url.js';
import { PushLink, type PushLinkOptions, type PushLinkTimings } from './push-link.js';

interface ShardConnectionOptions extends PushLinkOptions {
  readonly timings: ShardConnectionTimings;
}

interface ShardConnectionTimings extends PushLinkTimings {
  readonly backoff: BackoffTimings;
  /** Distrust rebuilds a connection at most once in this time, ms (jittered). */
  readonly distrustMs: number;
}

interface ShardConnectionEvents {
  onUp(connection: ShardConnection): void;
  /** The connection and everything that it carried is lost; it is being connected anew. */
  onDown(connection: ShardConnection, reason: string): void;
  onPush(link: PushLink, name: string, record: Buffer): void;
  onGone(link: PushLink, names: string[]): void;
}

/** Keeps one link with one master: connects anew, with backoff, for as long as it is not closed. */
export class ShardConnection {
  /** `host:port` of the master. */
  readonly name: string;
  readonly #address: RedisAddress;
  readonly #options: ShardConnectionOptions;
  readonly #events: ShardConnectionEvents;
  readonly #backoff: Backoff;
  #link: PushLink | undefined;
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
    this.#backoff = new Backoff(options.timings.backoff, options.clock.random);
    void this.#connect();
  }

  /** The link to the master; `undefined` while the master is not known to serve. */
  get link(): PushLink | undefined {
    return this.#link;
  }

  /** Why there is no link. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Drops the link and connects anew. To be called when there is reason to believe that the link does not deliver. */
  distrust(): void {
    const { clock, timings } = this.#options;
    if (this.#cancelDistrust) return;
    const waitMs = Math.max(0, this.#trustedUntil - clock.now());
    this.#cancelDistrust = clock.after(waitMs, () => {
      this.#cancelDistrust = undefined;
      this.#trustedUntil = clock.now() + timings.distrustMs * (0.5 + clock.random());
      this.#link?.lose('distrusted');
    });
  }

  /** Ends the connection; `onDown` is not called. */
  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelDistrust?.();
    this.#link?.end();
    this.#link = undefined;
  }

  async #connect(): Promise<void> {
    try {
      const link = await PushLink.open(this.#address, this.#options, {
        onPush: (name, record) => this.#events.onPush(link, name, record),
        onGone: (names) => this.#events.onGone(link, names),
        onLost: (reason) => this.#onLost(reason),
      });
      if (this.#closed) return link.end();
      this.#link = link;
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
    this.#link = undefined;
    this.#problem = reason;
    // A connection that ends soon after each success must not be tried ever faster.
    if (clock.now() - this.#upSince > timings.backoff.maxMs) this.#backoff.reset();
    this.#retry();
    this.#events.onDown(this, reason);
  }

  #retry(): void {
    if (this.#closed) return;
    this.#cancelRetry = this.#options.clock.after(this.#backoff.next(), () => void this.#connect());
  }
}
