/** What a reader was given, against what was acknowledged: numbers from 1 on. */
export class Tally {
  readonly #seen = new Set<number>();
  #last = 0;
  #duplicated = 0;
  #reordered = 0;
  #waiters: { count: number; resolve: () => void }[] = [];

  get count(): number {
    return this.#seen.size;
  }

  readonly take = ({ data }: { readonly data: number }): void => {
    if (this.#seen.has(data)) this.#duplicated++;
    else if (data < this.#last) this.#reordered++;
    this.#seen.add(data);
    this.#last = Math.max(this.#last, data);
    this.#waiters = this.#waiters.filter(({ count, resolve }) => {
      if (this.#seen.size < count) return true;
      resolve();
      return false;
    });
  };

  /** Resolves once so many different numbers came. */
  reaches(count: number): Promise<void> {
    if (this.#seen.size >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ count, resolve }));
  }

  /** Nothing if all from 1 to `count` came once and in order; otherwise what is wrong. */
  problem(count: number): string | undefined {
    let lost = 0;
    for (let n = 1; n <= count; n++) if (!this.#seen.has(n)) lost++;
    if (lost + this.#duplicated + this.#reordered === 0) return undefined;
    return `${lost} lost, ${this.#duplicated} duplicated, ${this.#reordered} reordered`;
  }
}
