import type { Broker, ChannelSpec, LogPage } from '../broker/broker.js';
import type { LogPosition } from '../broker/record.js';
import { hasEpoch, isBefore } from '../broker/resume.js';
import type { Cancel, Clock } from '../clock.js';
import type { Stats } from '../stats.js';

/** What all readers of a hub work with. */
interface ReaderContext {
  readonly broker: Pick<Broker, 'read'>;
  readonly clock: Clock;
  readonly stats: Stats;
  readonly options: {
    /** Most entries of a page. */
    readonly pageEntries: number;
    /** Most bytes of a page. */
    readonly pageBytes: number;
  };
}

interface KeptPage {
  readonly after: LogPosition;
  readonly page: LogPage;
}

const NO_PAGES: readonly KeptPage[] = [];

/**
 * How many pages are kept for clients that come a little later to the same replay, with positions that differ only a
 * little.
 */
const KEPT_PAGES = 4;
/** How long pages are kept after the last replay, ms. */
const KEEP_MS = 5_000;

/**
 * Reads the log of one channel for all who need it. Requests that wait share the next read, so that N clients that come
 * back cost O(1) reads. If the log cannot be read, requests fail at once, because replays and repairs hold places for
 * which other channels wait. Confirmed reads are shared among themselves only: they can take long, or be impossible for
 * a while, and only those who asked for one should wait for it.
 */
export class LogReader {
  readonly #context: ReaderContext;
  readonly #channel: ChannelSpec;
  #plain: SharedReads | undefined;
  #confirmed: SharedReads | undefined;
  #users = 0;
  #cancelForget: Cancel | undefined;
  #kept = NO_PAGES;

  constructor(context: ReaderContext, channel: ChannelSpec) {
    this.#context = context;
    this.#channel = channel;
  }

  /**
   * Reads one page of the entries after this position, with head and lineage of the same moment. The page may start
   * earlier, but it covers the position.
   */
  page(after: LogPosition, confirmed = false): Promise<LogPage> {
    if (confirmed) this.#confirmed ??= new SharedReads((from) => this.#read(from, true));
    else this.#plain ??= new SharedReads((from) => this.#read(from, false));
    return ((confirmed ? this.#confirmed : this.#plain) as SharedReads).page(after);
  }

  /**
   * A page that was read a while ago and goes on from exactly this position. It may only be used to go forward: what it
   * says about a broken continuity may be out of date.
   */
  keptPage(after: LogPosition): LogPage | undefined {
    for (const kept of this.#kept) {
      const last = kept.page.entries.at(-1);
      if (!last || !isBefore(after, last) || isBefore(after, kept.after)) continue;
      if (after.offset === kept.after.offset && after.epoch === kept.after.epoch) return kept.page;
      const first = kept.page.entries[0] as LogPosition;
      const at = kept.page.entries[after.offset - first.offset];
      if (at?.epoch === after.epoch && at.offset === after.offset) return kept.page;
    }
    return undefined;
  }

  /**
   * To be called when a replay begins: pages are kept while somebody replays, and a while longer for those who come
   * next. Returns a function that ends the use.
   */
  use(): () => void {
    this.#users++;
    this.#cancelForget?.();
    this.#cancelForget = undefined;
    return () => {
      // Most clients need no page of the log, so they leave no timer behind.
      if (--this.#users > 0 || this.#kept.length === 0) return;
      this.#cancelForget = this.#context.clock.after(KEEP_MS, () => this.forget());
    };
  }

  /** Forgets the kept pages, because nobody replays, or because the log has changed. */
  forget(): void {
    this.#kept = NO_PAGES;
    this.#cancelForget?.();
    this.#cancelForget = undefined;
  }

  async #read(after: LogPosition, confirmed: boolean): Promise<LogPage> {
    const { broker, options, stats } = this.#context;
    stats.logReads++;
    const { pageEntries: limit, pageBytes: maxBytes } = options;
    const page = await broker.read(this.#channel, { after, limit, maxBytes, confirmed, failFast: true });
    if (page.entries.length > 0) this.#keep(after, page);
    return page;
  }

  #keep(after: LogPosition, page: LogPage): void {
    if (this.#users === 0) return; // a repair: nobody follows it
    this.#kept = [...this.#kept, { after, page }].slice(-KEPT_PAGES);
  }
}

interface Request {
  readonly after: LogPosition;
  resolve(page: LogPage): void;
  reject(error: unknown): void;
}

/**
 * Reads that are shared. One read from the earliest position answers all requests that wait; no request is answered by
 * a read that started before it.
 */
class SharedReads {
  readonly #read: (after: LogPosition) => Promise<LogPage>;
  #waiting: Request[] = [];
  #reading = false;

  constructor(read: (after: LogPosition) => Promise<LogPage>) {
    this.#read = read;
  }

  page(after: LogPosition): Promise<LogPage> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ after, resolve, reject });
      if (this.#reading) return;
      this.#reading = true;
      queueMicrotask(() => this.#serve());
    });
  }

  async #serve(): Promise<void> {
    while (this.#waiting.length > 0) {
      const requests = this.#waiting;
      this.#waiting = [];
      let { after } = requests[0] as Request;
      for (const request of requests) if (isBefore(request.after, after)) after = request.after;
      try {
        const page = await this.#read(after);
        for (const request of requests) {
          if (covers(page, after, request.after)) request.resolve(page);
          else this.#waiting.push(request);
        }
      } catch (error) {
        for (const request of requests) request.reject(error);
      }
    }
    this.#reading = false;
  }
}

/** Whether a page read after `after` is also the answer to a request for what follows `position`. */
function covers(page: LogPage, after: LogPosition, position: LogPosition): boolean {
  if (!page.more || (position.epoch === after.epoch && position.offset === after.offset)) return true;
  // The epoch is unknown to the lineage, so no entry would change the verdict.
  if (!hasEpoch(page.lineage, position.epoch)) return true;
  const last = page.entries.at(-1);
  return last !== undefined && isBefore(position, last);
}
