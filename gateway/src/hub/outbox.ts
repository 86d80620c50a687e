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

/**
 * What the channels of this gateway have to send, handed to the transport from the loop's own
 * turn, in bounded chunks: never from inside a socket or HTTP handler, where uWebSockets.js would
 * write each frame by itself. Order holds within a channel.
 */
export class Outbox {
  readonly #transport: Pick<Transport, 'publish'>;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly dialects: readonly RawDialect[];
  #ready: Feed[] = [];
  #scheduled = false;

  constructor(transport: Pick<Transport, 'publish'>, dialects: readonly RawDialect[], clock: Clock, stats: Stats) {
    this.#transport = transport;
    this.dialects = dialects;
    this.#clock = clock;
    this.#stats = stats;
  }

  /** @internal A feed has something to send. */
  wake(feed: Feed): void {
    this.#ready.push(feed);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const ready = this.#ready;
    this.#ready = [];
    let items = 0;
    let frames = 0;
    let bytes = 0;
    let flushedBytes = 0;
    for (let i = 0; i < ready.length; i++) {
      const feed = ready[i] as Feed;
      for (;;) {
        if (items === MAX_PUBLISHES_PER_TURN || bytes >= MAX_BYTES_PER_TURN) {
          // The one that was cut short goes last: a busy channel does not hold up the others.
          for (let rest = i + 1; rest < ready.length; rest++) this.wake(ready[rest] as Feed);
          this.wake(feed);
          this.#count(frames, flushedBytes);
          return;
        }
        const item = feed.take(MAX_BYTES_PER_TURN - bytes, bytes === 0);
        if (item === undefined) break;
        if (item === 'too big') {
          bytes = MAX_BYTES_PER_TURN;
          continue;
        }
        items++;
        let largest = 0;
        for (let d = 0; d < this.dialects.length; d++) {
          if (feed.members[d] === 0) continue;
          const dialect = this.dialects[d] as RawDialect;
          const frame = item.frame(dialect);
          this.#transport.publish(feed.topics[d] as string, frame, dialect.binary);
          frames++;
          this.#stats.deliveries += feed.members[d] as number;
          flushedBytes += frame.length;
          if (frame.length > largest) largest = frame.length;
        }
        // A subscriber is on one dialect: both limits of a turn are its limits.
        bytes += largest;
        feed.sent(item);
      }
      feed.idle();
    }
    this.#count(frames, flushedBytes);
  }

  #count(frames: number, bytes: number): void {
    this.#stats.framesFlushed += frames;
    this.#stats.bytesFlushed += bytes;
  }
}

/** One channel's queue towards the transport, and who is on its topics. */
export class Feed {
  /** One topic a dialect, by the index of the dialect. */
  readonly topics: readonly string[];
  /** Members on each topic. */
  readonly members: number[];
  /** Position of the last frame handed to the transport: where a client may go onto the topic. */
  flushed: LogPosition | undefined;
  readonly #outbox: Outbox;
  #queue: Outgoing[] = [];
  #next = 0;
  #awake = false;
  #waiting: (() => void)[] = [];

  constructor(outbox: Outbox, channel: string) {
    this.#outbox = outbox;
    this.topics = outbox.dialects.map((dialect) => `${dialect.name}/${channel}`);
    this.members = outbox.dialects.map(() => 0);
  }

  get pending(): number {
    return this.#queue.length - this.#next;
  }

  push(item: Outgoing): void {
    this.#queue.push(item);
    if (this.#awake) return;
    this.#awake = true;
    this.#outbox.wake(this);
  }

  /** Resolves once something more was flushed, or at once if nothing waits. */
  progress(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
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
