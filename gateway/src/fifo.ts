/** What has left is cut off in pieces of this many. */
const CUT = 1024;

/** Stands for the array of a queue with nothing in it: most queues of a gateway are empty, and there are several for each connection. */
const NOTHING: never[] = [];

/** First in, first out, at a cost that does not grow with its length: `Array.shift` moves all that is left. */
export class Fifo<T> {
  #items: (T | undefined)[] = NOTHING;
  /** Index of the oldest one that is left. */
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  push(item: T): void {
    if (this.#items === NOTHING) this.#items = [];
    this.#items.push(item);
  }

  /** 0 is the oldest; `undefined` beyond the newest. */
  at(index: number): T | undefined {
    return this.#items[this.#first + index];
  }

  /** Removes the oldest. */
  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (!this.isEmpty) this.#dropTo(this.#first + 1);
    return item;
  }

  /** The oldest ones, at most this many; they stay. */
  peek(count: number): T[] {
    return this.#items.slice(this.#first, this.#first + count) as T[];
  }

  /** Removes the oldest ones, at most this many. */
  drop(count: number): void {
    this.#dropTo(Math.min(this.#first + count, this.#items.length));
  }

  /** Removes the oldest ones, at most this many, and returns them. */
  take(count = this.length): T[] {
    const taken = this.peek(count);
    this.drop(count);
    return taken;
  }

  /** These go again, before all others, in the order given. */
  putBack(items: readonly T[]): void {
    if (items.length <= this.#first) {
      this.#first -= items.length;
      for (const [i, item] of items.entries()) this.#items[this.#first + i] = item;
    } else {
      this.#items = [...items, ...this.#items.slice(this.#first)];
      this.#first = 0;
    }
  }

  #dropTo(first: number): void {
    this.#items.fill(undefined, this.#first, first);
    this.#first = first;
    if (first === this.#items.length) {
      this.#items = NOTHING;
      this.#first = 0;
    } else if (first >= CUT) {
      this.#items = this.#items.slice(first);
      this.#first = 0;
    }
  }
}
