/** After how many removed items the front of the array is cut off. */
const CUT = 1024;

/** The array of all empty queues. Most queues of a gateway are empty, and there are several for each connection. */
const NOTHING: never[] = [];

/**
 * A queue, first in and first out, whose cost does not grow with its length. `Array.shift` would move everything that
 * is left.
 */
export class Fifo<T> {
  #items: (T | undefined)[] = NOTHING;
  /** Index of the oldest item that is left. */
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

  /** The item at this place, where 0 is the oldest; `undefined` beyond the newest. */
  at(index: number): T | undefined {
    return this.#items[this.#first + index];
  }

  /** Removes the oldest item, and returns it. */
  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (!this.isEmpty) this.#dropTo(this.#first + 1);
    return item;
  }

  /** The oldest items, at most this many. They stay in the queue. */
  peek(count: number): T[] {
    return this.#items.slice(this.#first, this.#first + count) as T[];
  }

  /** Removes the oldest items, at most this many. */
  drop(count: number): void {
    this.#dropTo(Math.min(this.#first + count, this.#items.length));
  }

  /** Removes the oldest items, at most this many, and returns them. */
  take(count = this.length): T[] {
    const taken = this.peek(count);
    this.drop(count);
    return taken;
  }

  /** Puts items back before all others, in the order given. */
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
