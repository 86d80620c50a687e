import { badRequest, FanfareClientError, withoutQuery } from '../errors.js';
import type { Subscription } from '../subscription-types.js';
import { Bookmark } from './bookmark.js';
import { KEEP, type NamedPositions, type NamedStart, type Positions, type PositionsHost } from './named.js';
import { type MaybePosition, NamedSubscription } from './named-subscription.js';
import type { PositionStore } from './store.js';

/** How long kept positions hold. */
export interface PositionsOptions {
  /**
   * A kept position that is older than this is dropped, ms, and its subscription begins as one without. The default is
   * 86,400,000, which is a day. A position to which the log no longer reaches back is told by `reset` in any case.
   */
  readonly maxAgeMs?: number;
}

const DAY_MS = 86_400_000;

/** Returns what keeps positions in a store of your own, such as a database, a file or an HTTP API. */
export function customPositions(store: PositionStore, { maxAgeMs = DAY_MS }: PositionsOptions = {}): Positions {
  return { [KEEP]: (host) => new Keeper(host, store, maxAgeMs) };
}

/** A page, as far as it says when it is being left. */
interface Place {
  addEventListener?(name: string, listener: () => void): void;
  removeEventListener?(name: string, listener: () => void): void;
}
const LEAVING = ['pagehide', 'visibilitychange'];

interface Named extends NamedStart {
  readonly bookmark: Bookmark;
}

/** The named subscriptions of a client. They wait until the user is known to whom they belong. */
class Keeper implements NamedPositions {
  readonly #host: PositionsHost;
  readonly #store: PositionStore;
  readonly #maxAgeMs: number;
  /** The subscriptions, by the id under which their positions are kept. */
  readonly #named = new Map<string, Named>();
  readonly #flush = () => {
    for (const { bookmark } of this.#named.values()) bookmark.flush();
  };
  /** The user of the connection, once the gateway has named it. */
  #user: { readonly name: string | undefined } | undefined;

  constructor(host: PositionsHost, store: PositionStore, maxAgeMs: number) {
    this.#host = host;
    this.#store = store;
    this.#maxAgeMs = maxAgeMs;
  }

  open(start: NamedStart): Subscription {
    const { name, reader, handler, commit = 'handled' } = start;
    const { clock, onError } = this.#host;
    const id = `${this.#prefix}${reader.channel} ${name}`;
    if (this.#named.has(id)) {
      const reason = `a subscription of ${reader.channel} is kept as ${name} already`;
      throw badRequest(reason, { channel: reader.channel });
    }
    const bookmark = new Bookmark({ store: this.#store, id, clock, onError: (cause) => this.#onStoreFailed(cause) });
    const named = { ...start, bookmark };
    this.#named.set(id, named);
    if (this.#named.size === 1)
      for (const event of LEAVING) (globalThis as Place).addEventListener?.(event, this.#flush);
    if (this.#user) this.#begin(named);
    const keep = ({ epoch, offset }: MaybePosition) => {
      if (epoch !== undefined && offset !== undefined && this.#named.get(id) === named)
        bookmark.keep({ epoch, offset }, this.#user?.name);
    };
    return new NamedSubscription({ reader, commit, clock, keep, onError }, handler);
  }

  onConnected(user: string | undefined): void {
    const before = this.#user;
    this.#user = { name: user };
    if (before?.name === user && before) return;
    this.#dropOthers(user).catch((cause) => this.#onStoreFailed(cause));
    for (const named of this.#named.values()) {
      if (before) named.bookmark.forget().catch((cause) => this.#onStoreFailed(cause));
      else this.#begin(named);
    }
  }

  onEnd(reader: object): void {
    for (const [id, named] of this.#named) {
      if (named.reader !== reader) continue;
      this.#named.delete(id);
      named.bookmark.close();
    }
    if (this.#named.size === 0)
      for (const event of LEAVING) (globalThis as Place).removeEventListener?.(event, this.#flush);
  }

  #begin({ bookmark, join, fail, reader }: Named): void {
    bookmark.load(this.#user?.name, this.#maxAgeMs).then(
      (position) => reader.state === 'subscribing' && join(position),
      // To go on without the position would skip the messages after it.
      (cause) => fail(storeFailed(cause, reader.channel)),
    );
  }

  /** Drops positions on this device that belong to other users who were here before. */
  async #dropOthers(user: string | undefined): Promise<void> {
    const store = this.#store;
    for (const id of (await store.ids?.(this.#prefix)) ?? []) {
      const stored = await store.load(id);
      if (stored && stored.user !== user) await store.remove(id);
    }
  }

  #onStoreFailed(cause: unknown): void {
    this.#host.onError(storeFailed(cause));
  }

  get #prefix(): string {
    return `fanfare ${withoutQuery(this.#host.url)} `;
  }
}

function storeFailed(cause: unknown, channel?: string): FanfareClientError {
  const message = `the store of positions failed: ${cause}`;
  return new FanfareClientError('store_failed', message, { cause, retryable: true, channel });
}
