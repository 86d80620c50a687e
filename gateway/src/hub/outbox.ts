import type { Clock } from '../clock.js';
import type { Stats } from '../stats.js';
import { MAX_PUBLISHES_PER_TURN, type Transport } from '../transport/transport.js';
import type { Outgoing } from './entry.js';
import type { SendQueue, SendQueueOwner } from './send-queue.js';

/**
 * Most bytes flushed in one loop turn: a subscriber's frames of a turn leave in one write while
 * they fit uWebSockets.js' cork buffer of 16 KiB; beyond it fan-out was seen to fall by a third.
 */
const MAX_BYTES_PER_TURN = 15 * 1024;

export interface OutboxOptions {
  /** Bytes that may wait in all queues together before publishers are held up. */
  readonly outboxBytes: number;
  /** Bytes that may wait in one queue. */
  readonly queueBytes: number;
}

/**
 * What the channels of this gateway have to send, handed to the transport from the loop's own
 * turn, in bounded chunks: never from inside a socket or HTTP handler, where uWebSockets.js would
 * write each frame by itself. Order holds within a channel; channels that have much to send share
 * each turn with those that have little.
 */
export class Outbox implements SendQueueOwner {
  readonly #transport: Pick<Transport, 'publish'>;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly options: OutboxOptions;
  #ready: SendQueue[] = [];
  #scheduled = false;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(transport: Pick<Transport, 'publish'>, clock: Clock, stats: Stats, options: OutboxOptions) {
    this.#transport = transport;
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

  /** A queue that was empty has something to send. */
  wake(queue: SendQueue): void {
    if (queue.isUrgent) this.#ready.unshift(queue);
    else this.#ready.push(queue);
    this.#schedule();
  }

  /** Bytes that wait grew, or shrank. */
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
    const queues = this.#ready;
    this.#ready = [];
    // Whoever is cut short goes on behind the others: a busy channel does not hold up a quiet one.
    const share = Math.max(1, Math.floor(MAX_PUBLISHES_PER_TURN / queues.length));
    let items = 0;
    let bytes = 0;
    let at = 0;
    turn: for (; at < queues.length && items < MAX_PUBLISHES_PER_TURN && bytes < MAX_BYTES_PER_TURN; at++) {
      const queue = queues[at] as SendQueue;
      const end = Math.min(MAX_PUBLISHES_PER_TURN, items + share);
      while (items < end && bytes < MAX_BYTES_PER_TURN) {
        const item = queue.take(MAX_BYTES_PER_TURN - bytes, bytes === 0);
        if (item === undefined) break;
        // It begins the next turn, in which it has room.
        if (item === 'too big') break turn;
        items++;
        bytes += this.#send(queue, item);
        queue.sent(item);
      }
      if (queue.pending > 0) queues.push(queue);
      else queue.idle();
    }
    if (at === queues.length) return;
    // In front of what was woken meanwhile.
    this.#ready = this.#ready.length === 0 ? queues.slice(at) : [...queues.slice(at), ...this.#ready];
    this.#schedule();
  }

  /** Returns the bytes of the largest frame: a subscriber is on one topic, whose frames are its share of a turn. */
  #send(queue: SendQueue, item: Outgoing): number {
    let largest = 0;
    for (const { name, dialect, members } of queue.topics) {
      if (members === 0) continue;
      const frame = item.frame(dialect);
      this.#transport.publish(name, frame, dialect.binary);
      if (frame.length > largest) largest = frame.length;
      if (queue.isUrgent) continue;
      this.#stats.framesFlushed++;
      this.#stats.bytesFlushed += frame.length;
      this.#stats.deliveries += members;
    }
    return largest;
  }
}
