import type { RawDialect } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';
import type { Outgoing } from './entry.js';
import { Topic } from './topic.js';

/** Whoever empties queues: the outbox. */
export interface SendQueueOwner {
  readonly options: { readonly queueBytes: number };
  /** A queue that was empty has something to send. */
  wake(queue: SendQueue): void;
  /** Bytes that wait grew, or shrank. */
  count(bytes: number): void;
}

/** What one channel has to send, in order, and the topics it goes to. */
export class SendQueue {
  /** Goes before the others, and is no delivery: pings. */
  readonly isUrgent: boolean;
  readonly #owner: SendQueueOwner;
  readonly #name: string;
  #topics: readonly Topic[] = [];
  /** Where a topic begins that is opened now. */
  #flushed: LogPosition | undefined;
  #items: Outgoing[] = [];
  #next = 0;
  #bytes = 0;
  #awake = false;
  #waiting: (() => void)[] = [];

  /** @param name names its topics at the transport: a channel, or what no channel can be called */
  constructor(owner: SendQueueOwner, name: string, isUrgent = false) {
    this.#owner = owner;
    this.#name = name;
    this.isUrgent = isUrgent;
  }

  /** Those that somebody uses. */
  get topics(): readonly Topic[] {
    return this.#topics;
  }

  /** Members of all topics. */
  get members(): number {
    let members = 0;
    for (const topic of this.#topics) members += topic.members;
    return members;
  }

  /** The topic of this dialect, in use from now on: whoever asks has to release it. */
  topic(dialect: RawDialect): Topic {
    for (const topic of this.#topics) if (topic.dialect === dialect) return topic.use();
    const topic = new Topic(`${dialect.name}/${this.#name}`, dialect, this.#flushed, (unused) => {
      this.#topics = this.#topics.filter((one) => one !== unused);
    });
    this.#topics = [...this.#topics, topic];
    return topic.use();
  }

  /** Everything up to here counts as sent. */
  startAt(position: LogPosition): void {
    this.#flushed = position;
    for (const topic of this.#topics) topic.flushed = position;
  }

  get pending(): number {
    return this.#items.length - this.#next;
  }

  /** Whether as much waits as may: what comes now should not be pushed. */
  get isFull(): boolean {
    return this.#bytes >= this.#owner.options.queueBytes;
  }

  push(item: Outgoing): void {
    this.#items.push(item);
    this.#count(item.size);
    if (this.#awake) return;
    this.#awake = true;
    this.#owner.wake(this);
  }

  /** Resolves once something more was flushed, or at once if nothing waits. */
  progress(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves once no more than half of what may wait does. */
  async room(): Promise<void> {
    while (this.#bytes > this.#owner.options.queueBytes / 2) await this.progress();
  }

  /** For the outbox: the next item, if its largest frame fits (or `force`). */
  take(room: number, force: boolean): Outgoing | 'too big' | undefined {
    const item = this.#items[this.#next];
    if (item === undefined) return undefined;
    if (!force && this.#largest(item) > room) return 'too big';
    this.#next++;
    return item;
  }

  /** For the outbox: this item was handed to the transport. */
  sent(item: Outgoing): void {
    if (item.position) this.startAt(item.position);
    this.#count(-item.size);
    if (this.#next === this.#items.length) {
      this.#items = [];
      this.#next = 0;
    } else if (this.#next === 1024) {
      this.#items.splice(0, 1024);
      this.#next = 0;
    }
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** For the outbox: nothing is left, so that the next push wakes it. */
  idle(): void {
    this.#awake = false;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#owner.count(bytes);
  }

  #largest(item: Outgoing): number {
    let largest = 0;
    for (const { members, dialect } of this.#topics) {
      if (members > 0) largest = Math.max(largest, item.frame(dialect).length);
    }
    return largest;
  }
}
