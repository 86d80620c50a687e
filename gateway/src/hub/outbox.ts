import type { RawDialect, Wire } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';
import type { Clock } from '../clock.js';
import type { Stats } from '../stats.js';
import { MAX_PUBLISHES_PER_TURN, type Transport } from '../transport/transport.js';
import type { Outgoing } from './entry.js';

/**
 * Most bytes flushed in one loop turn: a subscriber's frames of a turn leave in one write while
 * they fit uWebSockets.js' cork buffer of 16 KiB; beyond it fan-out was seen to fall by a third.
 */
const MAX_BYTES_PER_TURN = 15 * 1024;

export interface OutboxOptions {
  /** Bytes that may wait in all feeds together before publishers are held up. */
  readonly outboxBytes: number;
  /** Bytes that may wait in one feed. */
  readonly feedBytes: number;
}

/**
 * What the channels of this gateway have to send, handed to the transport from the loop's own
 * turn, in bounded chunks: never from inside a socket or HTTP handler, where uWebSockets.js would
 * write each frame by itself. Order holds within a channel; channels that have much to send share
 * each turn with those that have little.
 */
export class Outbox {
  readonly #transport: Pick<Transport, 'publish'>;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly dialects: readonly RawDialect[];
  readonly options: OutboxOptions;
  #ready: Feed[] = [];
  #scheduled = false;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(
    transport: Pick<Transport, 'publish'>,
    dialects: readonly RawDialect[],
    clock: Clock,
    stats: Stats,
    options: OutboxOptions,
  ) {
    this.#transport = transport;
    this.dialects = dialects;
    this.#clock = clock;
    this.#stats = stats;
    this.options = options;
  }

  /** Bytes that wait, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * `undefined` while there is room; else resolves when there is again. Publishers of this gateway are answered
   * only then, so that they cannot be faster than it for long.
   */
  room(): Promise<void> | undefined {
    if (this.#bytes <= this.options.outboxBytes) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @internal A feed has something to send. */
  wake(feed: Feed): void {
    if (feed.isUrgent) this.#ready.unshift(feed);
    else this.#ready.push(feed);
    this.#schedule();
  }

  /** @internal Bytes that wait grew or shrank. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#waiting.length === 0 || this.#bytes > this.options.outboxBytes / 2) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const feeds = this.#ready;
    this.#ready = [];
    // Whoever is cut short goes on behind the others: a busy channel does not hold up a quiet one.
    const share = Math.max(1, Math.floor(MAX_PUBLISHES_PER_TURN / feeds.length));
    let items = 0;
    let bytes = 0;
    let at = 0;
    turn: for (; at < feeds.length && items < MAX_PUBLISHES_PER_TURN && bytes < MAX_BYTES_PER_TURN; at++) {
      const feed = feeds[at] as Feed;
      const end = Math.min(MAX_PUBLISHES_PER_TURN, items + share);
      while (items < end && bytes < MAX_BYTES_PER_TURN) {
        const item = feed.take(MAX_BYTES_PER_TURN - bytes, bytes === 0);
        if (item === undefined) break;
        // It begins the next turn, in which it has room.
        if (item === 'too big') break turn;
        items++;
        bytes += this.#send(feed, item);
        feed.sent(item);
      }
      if (feed.pending > 0) feeds.push(feed);
      else feed.idle();
    }
    if (at === feeds.length) return;
    // In front of what was woken meanwhile.
    this.#ready = this.#ready.length === 0 ? feeds.slice(at) : [...feeds.slice(at), ...this.#ready];
    this.#schedule();
  }

  /** Returns the bytes of the largest frame: a subscriber is on one dialect, whose frames are its share of a turn. */
  #send(feed: Feed, item: Outgoing): number {
    let largest = 0;
    for (let d = 0; d < this.dialects.length; d++) {
      const members = feed.members[d] as number;
      if (members === 0) continue;
      const dialect = this.dialects[d] as RawDialect;
      const frame = item.frame(dialect);
      this.#transport.publish(feed.topics[d] as string, frame, dialect.binary);
      if (frame.length > largest) largest = frame.length;
      if (feed.isUrgent) continue;
      this.#stats.framesFlushed++;
      this.#stats.bytesFlushed += frame.length;
      this.#stats.deliveries += members;
    }
    return largest;
  }
}

/** One channel's queue towards the transport, and who is on its topics. */
export class Feed {
  /** One topic a dialect, by the index of the dialect. */
  readonly topics: readonly string[];
  /** Members on each topic. */
  readonly members: number[];
  /** Goes before the others, and is no delivery: pings. */
  readonly isUrgent: boolean;
  /** Position of the last frame handed to the transport: where a client may go onto the topic. */
  flushed: LogPosition | undefined;
  readonly #outbox: Outbox;
  #queue: Outgoing[] = [];
  #next = 0;
  #bytes = 0;
  #awake = false;
  #waiting: (() => void)[] = [];

  constructor(outbox: Outbox, channel: string, isUrgent = false) {
    this.#outbox = outbox;
    this.isUrgent = isUrgent;
    this.topics = outbox.dialects.map((dialect) => `${dialect.name}/${channel}`);
    this.members = outbox.dialects.map(() => 0);
  }

  get pending(): number {
    return this.#queue.length - this.#next;
  }

  /** Whether as much waits as may: what comes now should not be pushed. */
  get isFull(): boolean {
    return this.#bytes >= this.#outbox.options.feedBytes;
  }

  push(item: Outgoing): void {
    this.#queue.push(item);
    this.#count(item.size);
    if (this.#awake) return;
    this.#awake = true;
    this.#outbox.wake(this);
  }

  /** Resolves once something more was flushed, or at once if nothing waits. */
  progress(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves once no more than half of what may wait does. */
  async room(): Promise<void> {
    while (this.#bytes > this.#outbox.options.feedBytes / 2) await this.progress();
  }

  /** @internal The next item, if its largest frame fits (or `force`). */
  take(room: number, force: boolean): Outgoing | 'too big' | undefined {
    const item = this.#queue[this.#next];
    if (item === undefined) return undefined;
    if (!force && this.#largest(item) > room) return 'too big';
    this.#next++;
    return item;
  }

  /** @internal */
  sent(item: Outgoing): void {
    if (item.position) this.flushed = item.position;
    this.#count(-item.size);
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    } else if (this.#next === 1024) {
      this.#queue.splice(0, 1024);
      this.#next = 0;
    }
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** @internal Nothing left. */
  idle(): void {
    this.#awake = false;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#outbox.count(bytes);
  }

  #largest(item: Outgoing): number {
    let largest = 0;
    for (let d = 0; d < this.members.length; d++) {
      if (this.members[d] === 0) continue;
      const frame: Wire = item.frame(this.#outbox.dialects[d] as RawDialect);
      if (frame.length > largest) largest = frame.length;
    }
    return largest;
  }
}
