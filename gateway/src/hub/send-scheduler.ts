import type { LogPosition } from '../broker/record.js';
import type { Clock } from '../clock.js';
import { EVENT, FlightRecorder } from '../flight-recorder.js';
import { fanOutOf, type Stats } from '../stats.js';
import { MAX_PUBLISHES_PER_TURN, type Transport } from '../transport/transport.js';
import type { Outgoing } from './entry.js';
import { type ExceptedPlace, exceptedFrom, type FindMembership, publishApart } from './exceptions.js';
import type { SendQueue, SendQueueOwner } from './send-queue.js';

/**
 * Most bytes flushed in one loop turn: a subscriber's frames of a turn leave in one write while
 * they fit uWebSockets.js' cork buffer of 16 KiB; beyond it fan-out was seen to fall by a third.
 */
const MAX_BYTES_PER_TURN = 15 * 1024;

/**
 * How long a channel's messages wait, at most, for others that are on their way through the broker, ms.
 * Without it the messages that a publisher keeps in flight fall into two groups, one in Redis while the
 * other is fanned out, and each pays for a write to every subscriber.
 */
const MAX_HOLD_MS = 2;

const NOBODY: readonly ExceptedPlace[] = [];

export interface SendSchedulerOptions {
  /** Bytes that may wait in all queues together before publishers are held up. */
  readonly allQueuesBytes: number;
  /** Bytes that may wait in one queue, once all of them together hold `allQueuesBytes`. */
  readonly queueBytes: number;
}

/**
 * What the channels of this gateway have to send, handed to the transport from the loop's own
 * turn, in bounded chunks: never from inside a socket or HTTP handler, where uWebSockets.js would
 * write each frame by itself. Order holds within a channel; channels that have much to send share
 * each turn with those that have little.
 */
export class SendScheduler implements SendQueueOwner {
  readonly #transport: Pick<Transport, 'publish'>;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly options: SendSchedulerOptions;
  readonly #find: FindMembership;
  readonly #recorder: FlightRecorder;
  #ready: SendQueue[] = [];
  /** Queues that wait for more, and since when; the first one has waited longest. */
  readonly #held = new Map<SendQueue, number>();
  #expiring = false;
  #scheduled = false;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  /**
   * @param find finds the place on a channel of one who does not get a message. Default: nobody is found
   * @param recorder where it is noted what was sent. Default: nowhere
   */
  constructor(
    transport: Pick<Transport, 'publish'>,
    clock: Clock,
    stats: Stats,
    options: SendSchedulerOptions,
    find: FindMembership = () => undefined,
    recorder = new FlightRecorder(0),
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#stats = stats;
    this.options = options;
    this.#find = find;
    this.#recorder = recorder;
  }

  /** About how many bytes wait in all queues. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * `undefined` while there is room; else resolves when there is again. Publishers of this gateway are answered
   * only then, so that they cannot be faster than it for long.
   */
  room(): Promise<void> | undefined {
    if (this.#bytes <= this.options.allQueuesBytes) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A queue that was empty has something to send. */
  wake(queue: SendQueue): void {
    if (queue.isExpecting) {
      this.#hold(queue);
      return;
    }
    if (queue.isUrgent) this.#ready.unshift(queue);
    else this.#ready.push(queue);
    this.#schedule();
  }

  /** Nothing is on its way any more that will soon be in the queue. */
  settled(queue: SendQueue): void {
    if (this.#held.delete(queue)) this.#release(queue);
  }

  /** Bytes that wait grew, or shrank. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#waiting.length === 0 || this.#bytes > this.options.allQueuesBytes / 2) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #hold(queue: SendQueue): void {
    this.#held.set(queue, this.#clock.now());
    if (this.#expiring) return;
    this.#expiring = true;
    this.#clock.after(MAX_HOLD_MS, () => this.#expire());
  }

  #expire(): void {
    const now = this.#clock.now();
    this.#expiring = false;
    for (const [queue, since] of this.#held) {
      const remaining = since + MAX_HOLD_MS - now;
      if (remaining > 0) {
        this.#expiring = true;
        this.#clock.after(remaining, () => this.#expire());
        return;
      }
      this.#held.delete(queue);
      this.#release(queue);
    }
  }

  #release(queue: SendQueue): void {
    this.#ready.push(queue);
    this.#schedule();
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
    let publishes = 0;
    let bytes = 0;
    let at = 0;
    for (; at < queues.length && publishes < MAX_PUBLISHES_PER_TURN && bytes < MAX_BYTES_PER_TURN; at++) {
      const queue = queues[at] as SendQueue;
      const room = MAX_BYTES_PER_TURN - bytes;
      // Whoever is cut short goes on behind the others: a busy channel does not hold up a quiet one.
      const sharing = Math.min(queues.length - at, MAX_PUBLISHES_PER_TURN - publishes);
      const items = queue.take(room / sharing, bytes === 0 ? Number.POSITIVE_INFINITY : room);
      if (items.length > 0) {
        publishes++;
        // First of all: a client may fall behind while it is sent to.
        if (this.#recorder.isOn) this.#note(queue, items);
        bytes += this.#send(queue, items);
        queue.sent(items);
      } else if (queue.pending > 0) {
        // It begins the next turn, in which it has room.
        break;
      }
      if (queue.pending > 0) queues.push(queue);
      else queue.idle();
    }
    if (at === queues.length) return;
    // In front of what was woken meanwhile.
    this.#ready = this.#ready.length === 0 ? queues.slice(at) : [...queues.slice(at), ...this.#ready];
    this.#schedule();
  }

  /**
   * Hands the items to the transport, one WebSocket frame a topic. Returns the bytes of the largest: a
   * subscriber is on one topic, whose frame is its share of a turn.
   */
  #send(queue: SendQueue, items: readonly Outgoing[]): number {
    let largest = 0;
    let isHeard = false;
    const excepted = queue.hasExceptions ? exceptedFrom(queue.name, items, this.#find) : NOBODY;
    for (const topic of queue.topics) {
      const { name, dialect, subscribers } = topic;
      if (subscribers === 0) continue;
      const wire = topic.pack(items.map((item) => item.frame(dialect)));
      const publish = () => this.#transport.publish(name, wire, dialect.binary);
      const apart = excepted.length > 0 ? excepted.filter((one) => one.topic === topic) : excepted;
      if (apart.length === 0) publish();
      else publishApart(topic, apart, items, publish);
      if (wire.length > largest) largest = wire.length;
      if (queue.isUrgent) continue;
      isHeard = true;
      const sums = fanOutOf(this.#stats, dialect.name);
      sums.messages += items.length;
      sums.bytes += wire.length;
      sums.deliveries += items.length * subscribers;
      sums.deliveredBytes += wire.length * subscribers;
    }
    if (isHeard) this.#observe(items);
    return largest;
  }

  /** Notes in the flight recorder which messages were sent to how many: one note for each stretch of one epoch. */
  #note({ name, subscribers }: SendQueue, items: readonly Outgoing[]): void {
    let first: LogPosition | undefined;
    let last: LogPosition | undefined;
    const end = () => {
      if (!first || !last) return;
      this.#recorder.note(EVENT.flushed, name, '', first.epoch, first.offset, last.offset, subscribers);
    };
    for (const { position, time } of items) {
      // A notice has a position, and is no message.
      if (!position || time === undefined) continue;
      if (first && first.epoch !== position.epoch) {
        end();
        first = undefined;
      }
      first ??= position;
      last = position;
    }
    end();
  }

  /** How long the messages took from the log to here, by the clock of the broker. */
  #observe(items: readonly Outgoing[]): void {
    const { flushLatency, brokerClockAheadMs } = this.#stats;
    const now = this.#clock.wall() + brokerClockAheadMs;
    for (const { time } of items) if (time !== undefined) flushLatency.observe(Math.max(0, now - time));
  }
}
