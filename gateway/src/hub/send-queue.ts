import type { RawDialect } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';
import { Fifo } from '../fifo.js';
import type { Outgoing } from './entry.js';
import { Topic, type TopicOwner } from './topic.js';

/** What an array adds for each frame but the first, at most: see `RawDialect.join`. */
const JOIN_BYTES = 3;

/** Empties send queues: the scheduler. */
export interface SendQueueOwner {
  readonly options: { readonly queueBytes: number; readonly allQueuesBytes: number };
  /** About how many bytes wait in all queues. */
  readonly bytes: number;
  /** A queue that was empty has something to send. */
  wake(queue: SendQueue): void;
  /** Bytes that wait grew, or shrank. */
  count(bytes: number): void;
  /** Nothing is on its way any more that will soon be in the queue. */
  settled(queue: SendQueue): void;
}

/** What one channel has to send, in order, and the topics it goes to. */
export class SendQueue implements TopicOwner {
  /** What it has to send goes before what other queues have, and counts as no delivery: pings. */
  readonly isUrgent: boolean;
  readonly #owner: SendQueueOwner;
  /** Name of the channel, or a name that no channel can have. */
  readonly name: string;
  #topics: readonly Topic[] = [];
  /** Where a topic begins that is opened now. */
  #flushed: LogPosition | undefined;
  readonly #items = new Fifo<Outgoing>();
  #bytes = 0;
  #publishes = 0;
  /** How many of those that wait somebody is excepted from. */
  #exceptions = 0;
  #awake = false;
  /** Who waits until something was flushed; only while there are some. */
  #waiting: (() => void)[] | undefined;

  /** @param name names its topics at the transport */
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

  /** The topic of this dialect, in use from now on: whoever asks has to release it. */
  topic(dialect: RawDialect): Topic {
    for (const topic of this.#topics) if (topic.dialect === dialect) return topic.use();
    const topic = new Topic(`${dialect.name}/${this.name}`, dialect, this.#flushed, this);
    // Not spread: V8 would leave room for 16 more.
    this.#topics = this.#topics.concat(topic);
    return topic.use();
  }

  onUnused(topic: Topic): void {
    this.#topics = this.#topics.filter((one) => one !== topic);
  }

  /** Everything up to this position counts as sent. */
  startAt(position: LogPosition): void {
    this.#flushed = position;
    for (const topic of this.#topics) topic.flushed = position;
  }

  get pending(): number {
    return this.#items.length;
  }

  /**
   * Whether as much waits as may: what comes now should not be pushed. A queue may hold more than its share
   * while all of them together hold less than they may: a log that is shorter than a burst would not give back
   * what was turned away here.
   */
  get isFull(): boolean {
    const { bytes, options } = this.#owner;
    return this.#bytes >= options.queueBytes && bytes >= options.allQueuesBytes;
  }

  /**
   * A publish of this gateway is on its way to the broker, so what it stores will soon be here. The result
   * is to be called once, when the broker has answered.
   */
  publishing(): () => void {
    this.#publishes++;
    return () => {
      if (--this.#publishes === 0) this.#owner.settled(this);
    };
  }

  /** Whether more will soon be in the queue. */
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

  /** Whether somebody does not get something of what waits. */
  get hasExceptions(): boolean {
    return this.#exceptions > 0;
  }

  /** Resolves once something more was flushed, or at once if nothing waits. */
  progress(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : this.flushing();
  }

  /** Resolves once something more was flushed, whether it waits already or is still to come. */
  flushing(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** Resolves once no more than half of what may wait does. */
  async room(): Promise<void> {
    while (this.#bytes > this.#owner.options.queueBytes / 2) await this.progress();
  }

  /**
   * For the scheduler: the next items that fit into `share` bytes on every topic as one WebSocket frame, or the
   * first one alone if it fits into `room`; none if it does not, or if nothing waits.
   */
  take(share: number, room: number): readonly Outgoing[] {
    const count = this.#fitting(share, this.pending) || this.#fitting(room, Math.min(1, this.pending));
    return this.#items.peek(count);
  }

  /** For the scheduler: these, the next ones, were handed to the transport. */
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

  /** For the scheduler: nothing is left, so that the next push wakes it. */
  idle(): void {
    this.#awake = false;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#owner.count(bytes);
  }

  /** How many of the next `most` items leave for every topic in one frame of `room` bytes. */
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
