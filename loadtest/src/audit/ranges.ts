/** A set of whole numbers, kept as ranges, so that memory grows with the holes and not with the numbers. */
export class Ranges {
  /** The ranges, ascending and apart from each other. Each holds `from` to `to` - 1. */
  readonly #list: [from: number, to: number][] = [];

  constructor(list: readonly (readonly [from: number, to: number])[] = []) {
    for (const [from, to] of list) this.add(from, to);
  }

  get list(): readonly (readonly [from: number, to: number])[] {
    return this.#list;
  }

  get size(): number {
    return this.#list.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  /** Adds the numbers `from` to `to` - 1. */
  add(from: number, to = from + 1): void {
    if (to <= from) return;
    const begin = this.#firstEndingAtOrAfter(from);
    let end = begin;
    let [low, high] = [from, to];
    for (; end < this.#list.length && (this.#list[end] as [number, number])[0] <= to; end++) {
      const [a, b] = this.#list[end] as [number, number];
      [low, high] = [Math.min(low, a), Math.max(high, b)];
    }
    this.#list.splice(begin, end - begin, [low, high]);
  }

  /** Takes one number out. @returns whether it was in. */
  remove(n: number): boolean {
    const index = this.#firstEndingAtOrAfter(n + 1);
    const range = this.#list[index];
    if (!range || range[0] > n) return false;
    const [from, to] = range;
    this.#list.splice(
      index,
      1,
      ...(
        [
          [from, n],
          [n + 1, to],
        ] as [number, number][]
      ).filter(([a, b]) => a < b),
    );
    return true;
  }

  has(n: number): boolean {
    const range = this.#list[this.#firstEndingAtOrAfter(n + 1)];
    return range !== undefined && range[0] <= n;
  }

  /** The numbers of this set that are not in `other`. */
  without(other: Ranges): Ranges {
    const rest = new Ranges();
    for (const [from, to] of this.#list) {
      let at = from;
      for (const [a, b] of other.#list) {
        if (b <= at || a >= to) continue;
        rest.add(at, a);
        at = b;
      }
      rest.add(at, to);
    }
    return rest;
  }

  /** Index of the first range with `to` >= n, found by binary search. */
  #firstEndingAtOrAfter(n: number): number {
    let [low, high] = [0, this.#list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#list[middle] as [number, number])[1] < n) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
