interface Reader<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

export interface InboxHooks {
  /** Half of the room is free again. */
  onRoom(): void;
  /** The reader left its loop. */
  onReturn(): void;
}

/** Messages on their way to a `for await` loop, at most `capacity` of them. */
export class Inbox<T> implements AsyncIterator<T, undefined> {
  readonly #capacity: number;
  readonly #hooks: InboxHooks;
  readonly #readers: Reader<T>[] = [];
  #items: T[] = [];
  /** Items before this index have been read. */
  #head = 0;
  /** Thrown once, as the end. */
  #error: unknown;
  /** Thrown by every loop, while there. */
  #outage: unknown;
  #ended = false;

  constructor(capacity: number, hooks: InboxHooks) {
    this.#capacity = capacity;
    this.#hooks = hooks;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get full(): boolean {
    return this.size >= this.#capacity;
  }

  push(item: T): void {
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ done: false, value: item });
    else this.#items.push(item);
  }

  /** Takes the oldest item. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Until {@link recover} a loop throws this once it has read what is here. */
  fail(error: unknown): void {
    this.#outage = error;
    for (const reader of this.#readers.splice(0)) reader.reject(error);
  }

  /** A new loop goes on. */
  recover(): void {
    this.#outage = undefined;
  }

  /** The loop ends once it has read what is here; by throwing `error`, if there is one. */
  end(error?: unknown): void {
    this.#ended = true;
    const [first, ...others] = this.#readers.splice(0);
    if (error === undefined) first?.resolve({ done: true, value: undefined });
    else if (first) first.reject(error);
    else this.#error = error;
    for (const reader of others) reader.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.size > 0) {
      const value = this.shift() as T;
      if (this.size === this.#capacity >> 1) this.#hooks.onRoom();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#outage !== undefined) return Promise.reject(this.#outage);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#items = [];
    this.#head = 0;
    this.end();
    this.#hooks.onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }
}
