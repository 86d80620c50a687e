import type { LogPosition } from '../broker/record.js';
import type { Clock } from '../clock.js';
import { EVENT, FlightRecorder } from '../flight-recorder.js';
import { fanOutOf, type Stats } from '../stats.js';
import { MAX_PUBLISHES_PER_TURN, type Transport } from '../transport/transport.js';
import type { Outgoing } from './entry.js';
import { type ExceptedPlace, exceptedFrom, type FindMembership, publishApart } from './exceptions.js';
import type { SendQueue, SendQueueOwner } from './send-queue.js';

/**
 * Most bytes that are flushed in one turn of the event loop. The frames of one subscriber leave in one write as long as
 * they fit into the cork buffer of uWebSockets.js, which has 16 KiB. Beyond that, fan-out was measured to be a third
 * slower.
 */
const MAX_BYTES_PER_TURN = 15 * 1024;

/**
 * How long messages of a channel wait, at most, for others that are on their way through the broker, ms. Without that,
 * the messages that a publisher keeps in flight would fall into two groups, one in Redis while the other is fanned out,
 * and each group would cost a write to every subscriber.
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
 * Hands what the channels of this gateway have to send to the transport, in bounded chunks. It does so from a turn of
 * the event loop of its own, and never from inside a socket or HTTP handler, where uWebSockets.js would write each
 * frame by itself. Order is kept within a channel. Channels that have much to send share each turn with those that have
 * little.
 */
export class SendScheduler implements SendQueueOwner {
  readonly #transport: Pick<Transport, 'publish'>;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly options: SendSchedulerOptions;
  readonly #find: FindMembership;
  readonly #recorder: FlightRecorder;
  #ready: SendQueue[] = [];
  /** Queues that wait for more messages, and since when. The first one has waited longest. */
  readonly #held = new Map<SendQueue, number>();
  #expiring = false;
  #scheduled = false;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  /**
   * @param find finds the place on a channel of a session that does not get a message. Default: nobody is found
   * @param recorder the flight recorder in which it is noted what was sent. Default: none
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
   * `undefined` while there is room; otherwise a promise that resolves when there is room again. Publishers of this
   * gateway are answered only then, so that they cannot publish faster than the gateway sends for long.
   */
  room(): Promise<void> | undefined {
    if (this.#bytes <= this.options.allQueuesBytes) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** To be called when a queue that was empty has something to send. */
  wake(queue: SendQueue): void {
    if (queue.isExpecting) {
      this.#hold(queue);
      return;
    }
    if (queue.isUrgent) this.#ready.unshift(queue);
    else this.#ready.push(queue);
    this.#schedule();
  }

  /** To be called when nothing is on its way any more that will soon be in the queue. */
  settled(queue: SendQueue): void {
    if (this.#held.delete(queue)) this.#release(queue);
  }

  /** Adds to the bytes that wait; a negative number takes off. */
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
      // A queue that is cut short goes on behind the others, so that a busy channel does not hold up a quiet one.
      const sharing = Math.min(queues.length - at, MAX_PUBLISHES_PER_TURN - publishes);
      const items = queue.take(room / sharing, bytes === 0 ? Number.POSITIVE_INFINITY : room);
      if (items.length > 0) {
        publishes++;
        // This goes first, because a client may fall behind while it is sent to.
        if (this.#recorder.isOn) this.#note(queue, items);
        bytes += this.#send(queue, items);
        queue.sent(items);
      } else if (queue.pending > 0) {
        // This queue begins the next turn, in which there is room for it.
        break;
      }
      if (queue.pending > 0) queues.push(queue);
      else queue.idle();
    }
    if (at === queues.length) return;
    // These go before the queues that were woken meanwhile.
    this.#ready = this.#ready.length === 0 ? queues.slice(at) : [...queues.slice(at), ...this.#ready];
    this.#schedule();
  }

  /**
   * Hands the items to the transport, as one WebSocket frame for each topic. Returns the bytes of the largest frame: a
   * subscriber is on one topic only, so that is what a turn costs a subscriber at most.
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

  /** Counts how long the messages took from the log to here, by the clock of the broker. */
  #observe(items: readonly Outgoing[]): void {
    const { flushLatency, brokerClockAheadMs } = this.#stats;
    const now = this.#clock.wall() + brokerClockAheadMs;
    for (const { time } of items) if (time !== undefined) flushLatency.observe(Math.max(0, now - time));
  }
}
