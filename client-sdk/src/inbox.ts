/** A call of `next` for which no item was there. */
interface Waiting<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

interface InboxHooks {
  /** Called when half of the room is free again. */
  onRoom(): void;
  /** Called when the loop was left. */
  onReturn(): void;
}

/** Returns whether an item takes room. Messages do; what is told between them does not. */
type Counts<T> = (item: T) => boolean;

/** Messages on their way to a `for await` loop, and what is told between them. It holds `capacity` messages at most. */
export class Inbox<T> implements AsyncIterator<T, undefined> {
  readonly #capacity: number;
  readonly #counts: Counts<T>;
  readonly #hooks: InboxHooks;
  readonly #waiting: Waiting<T>[] = [];
  #items: T[] = [];
  /** How many items have been read already. They are before this index. */
  #head = 0;
  #size = 0;
  /** The error with which the loop ends. It is thrown once. */
  #error: unknown;
  /** The error that every loop throws while it is set. */
  #outage: unknown;
  #ended = false;

  constructor(capacity: number, counts: Counts<T>, hooks: InboxHooks) {
    this.#capacity = capacity;
    this.#counts = counts;
    this.#hooks = hooks;
  }

  get full(): boolean {
    return this.#size >= this.#capacity;
  }

  push(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value: item });
    } else {
      this.#items.push(item);
      if (this.#counts(item)) this.#size++;
    }
  }

  /** Replaces each item by what `change` makes of it. */
  rewrite(change: (item: T) => T[]): void {
    this.#items = this.#items.slice(this.#head).flatMap(change);
    this.#head = 0;
  }

  /** Takes the oldest item. */
  shift(): T | undefined {
    if (this.#empty) return undefined;
    const item = this.#items[this.#head] as T;
    if (this.#counts(item)) this.#size--;
    this.#items[this.#head++] = undefined as T;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /**
   * Drops the oldest message, of which there must be one. What was told before it stays. `note`, if it is given, takes
   * the place of the message, unless such a note stands before it already.
   */
  drop(note?: T, isSame: (item: T) => boolean = () => false): void {
    let at = this.#head;
    while (!this.#counts(this.#items[at] as T)) at++;
    const hasNote = at > this.#head && isSame(this.#items[at - 1] as T);
    if (note !== undefined && !hasNote) {
      this.#items[at] = note;
      this.#size--;
      return;
    }
    const message = this.#items[at] as T;
    for (; at > this.#head; at--) this.#items[at] = this.#items[at - 1] as T;
    this.#items[at] = message;
    this.shift();
  }

  /** Makes a loop throw this error once it has read what is here, until {@link recover} is called. */
  fail(error: unknown): void {
    this.#outage = error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  /** Lets a new loop go on after {@link fail}. */
  recover(): void {
    this.#outage = undefined;
  }

  /** Ends the loop once it has read what is here, by throwing `error` if there is one. */
  end(error?: unknown): void {
    this.#ended = true;
    const [first, ...others] = this.#waiting.splice(0);
    if (error === undefined) first?.resolve({ done: true, value: undefined });
    else if (first) first.reject(error);
    else this.#error = error;
    for (const waiting of others) waiting.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#empty) {
      const before = this.#size;
      const value = this.shift() as T;
      if (this.#size < before && this.#size === this.#capacity >> 1) this.#hooks.onRoom();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#outage !== undefined) return Promise.reject(this.#outage);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items = [];
    this.#head = this.#size = 0;
    this.end();
    this.#hooks.onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  get #empty(): boolean {
    return this.#items.length === this.#head;
  }
}
