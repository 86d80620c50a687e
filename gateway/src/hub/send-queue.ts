import type { RawDialect } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';
import { Fifo } from '../fifo.js';
import type { Outgoing } from './entry.js';
import { Topic, type TopicOwner } from './topic.js';

/** Most bytes that joining frames adds for each frame but the first: see `RawDialect.join`. */
const JOIN_BYTES = 3;

/** What empties send queues: the send scheduler. */
export interface SendQueueOwner {
  readonly options: { readonly queueBytes: number; readonly allQueuesBytes: number };
  /** About how many bytes wait in all queues. */
  readonly bytes: number;
  /** To be called when a queue that was empty has something to send. */
  wake(queue: SendQueue): void;
  /** Adds to the bytes that wait; a negative number takes off. */
  count(bytes: number): void;
  /** To be called when nothing is on its way any more that will soon be in the queue. */
  settled(queue: SendQueue): void;
}

/** What one channel has to send, in order, and the topics it goes to. */
export class SendQueue implements TopicOwner {
  /** Whether the items of this queue go before those of others, and count as no deliveries, as pings do. */
  readonly isUrgent: boolean;
  readonly #owner: SendQueueOwner;
  /** Name of the channel, or a name that no channel can have. */
  readonly name: string;
  #topics: readonly Topic[] = [];
  /** The flushed position of a topic that is opened now. */
  #flushed: LogPosition | undefined;
  readonly #items = new Fifo<Outgoing>();
  #bytes = 0;
  #publishes = 0;
  /** How many of the items that wait have an exception. */
  #exceptions = 0;
  #awake = false;
  /** Callers that wait until something was flushed. The list exists only while there are some. */
  #waiting: (() => void)[] | undefined;

  /** @param name name of its topics at the transport */
  constructor(owner: SendQueueOwner, name: string, isUrgent = false) {
    this.#owner = owner;
    this.name = name;
    this.isUrgent = isUrgent;
  }

  /** The topics that somebody uses. */
  get topics(): readonly Topic[] {
    return this.#topics;
  }

  /** Subscribers of all topics. */
  get subscribers(): number {
    let subscribers = 0;
    for (const topic of this.#topics) subscribers += topic.subscribers;
    return subscribers;
  }

  /** The topic of this dialect. It is in use from now on, and the caller has to release it. */
  topic(dialect: RawDialect): Topic {
    for (const topic of this.#topics) if (topic.dialect === dialect) return topic.use();
    const topic = new Topic(`${dialect.name}/${this.name}`, dialect, this.#flushed, this);
    // `concat` instead of spreading, after which V8 would leave room for 16 more.
    this.#topics = this.#topics.concat(topic);
    return topic.use();
  }

  onUnused(topic: Topic): void {
    this.#topics = this.#topics.filter((one) => one !== topic);
  }

  /** Begins at this position: everything up to it counts as sent. */
  startAt(position: LogPosition): void {
    this.#flushed = position;
    for (const topic of this.#topics) topic.flushed = position;
  }

  get pending(): number {
    return this.#items.length;
  }

  /**
   * Whether as many bytes wait as may, so that nothing should be added now. While all queues together are below their
   * limit, one queue may hold more than its share: a log that is shorter than a burst would not give back what was
   * turned away here.
   */
  get isFull(): boolean {
    const { bytes, options } = this.#owner;
    return this.#bytes >= options.queueBytes && bytes >= options.allQueuesBytes;
  }

  /**
   * Notes that a publish of this gateway is on its way to the broker, so that its messages will soon be here. Returns a
   * function that is to be called once, when the broker has answered.
   */
  publishing(): () => void {
    this.#publishes++;
    return () => {
      if (--this.#publishes === 0) this.#owner.settled(this);
    };
  }

  /** Whether more messages will soon be in the queue. */
  get isExpecting(): boolean {
    return this.#publishes > 0;
  }

  push(item: Outgoing): void {
    this.#items.push(item);
    if (item.exception) this.#exceptions++;
    this.#count(item.size);
    if (this.#awake) return;
    this.#awake = true;
    this.#owner.wake(this);
  }

  /** Whether one of the items that wait has an exception. */
  get hasExceptions(): boolean {
    return this.#exceptions > 0;
  }

  /** Resolves once something more was flushed, or at once if nothing waits. */
  progress(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : this.flushing();
  }

  /** Resolves once something more was flushed, even if nothing waits yet. */
  flushing(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** Resolves once the queue is no more than half full. */
  async room(): Promise<void> {
    while (this.#bytes > this.#owner.options.queueBytes / 2) await this.progress();
  }

  /**
   * For the scheduler: the next items that fit into one WebSocket frame of `share` bytes on every topic. If not even
   * the first one fits, it is returned alone if it fits into `room`. No items if it does not, or if nothing waits.
   */
  take(share: number, room: number): readonly Outgoing[] {
    const count = this.#fitting(share, this.pending) || this.#fitting(room, Math.min(1, this.pending));
    return this.#items.peek(count);
  }

  /** For the scheduler: notes that these items, the next ones of the queue, were handed to the transport. */
  sent(items: readonly Outgoing[]): void {
    let size = 0;
    for (const item of items) {
      size += item.size;
      if (item.exception) this.#exceptions--;
    }
    const { position } = items.at(-1) as Outgoing;
    if (position) this.startAt(position);
    this.#count(-size);
    this.#items.drop(items.length);
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }

  /** For the scheduler: notes that the queue is empty, so that the next push wakes the scheduler. */
  idle(): void {
    this.#awake = false;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#owner.count(bytes);
  }

  /** How many of the next `most` items fit into one frame of `room` bytes on every topic. */
  #fitting(room: number, most: number): number {
    let count = most;
    for (const { subscribers, dialect } of this.#topics) {
      if (subscribers === 0) continue;
      if (!dialect.join) count = Math.min(count, 1);
      let bytes = 0;
      for (let nth = 0; nth < count; nth++) {
        bytes += (this.#items.at(nth) as Outgoing).frame(dialect).length;
        if (bytes + JOIN_BYTES * nth > room) count = nth;
      }
    }
    return count;
  }
}
