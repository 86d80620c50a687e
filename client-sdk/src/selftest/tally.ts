/**
 * Compares what a reader was given with what was acknowledged: numbers from 1 on, each once, in the order of the log. A
 * publish that the gateway refused for the moment may be overtaken on its way into the log, so the order is that of
 * offsets.
 */
export class Tally {
  readonly #seen = new Set<number>();
  /** The last offset. */
  #last = 0;
  #duplicated = 0;
  #reordered = 0;
  #waiters: { count: number; resolve: () => void }[] = [];

  get count(): number {
    return this.#seen.size;
  }

  /** Returns the last numbers, in the order in which they came. */
  last(count: number): number[] {
    return [...this.#seen].slice(-count);
  }

  readonly take = ({ data, offset = 0 }: { readonly data: number; readonly offset?: number | undefined }): void => {
    if (this.#seen.has(data)) this.#duplicated++;
    else if (offset <= this.#last) this.#reordered++;
    this.#seen.add(data);
    this.#last = Math.max(this.#last, offset);
    this.#waiters = this.#waiters.filter(({ count, resolve }) => {
      if (this.#seen.size < count) return true;
      resolve();
      return false;
    });
  };

  /** Resolves once `count` different numbers came. */
  reaches(count: number): Promise<void> {
    if (this.#seen.size >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ count, resolve }));
  }

  /** Returns what is wrong, or nothing if all numbers from 1 to `count` came once and in order. */
  problem(count: number): string | undefined {
    let lost = 0;
    for (let n = 1; n <= count; n++) if (!this.#seen.has(n)) lost++;
    if (lost + this.#duplicated + this.#reordered === 0) return undefined;
    return `${lost} lost, ${this.#duplicated} duplicated, ${this.#reordered} reordered`;
  }
}
