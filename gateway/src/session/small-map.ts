/**
 * A map that takes little memory until it has a second entry: a `Map` takes some 200 bytes, and most connections are on
 * one channel. Entries come in the order in which they were set; they may be deleted while they are gone through.
 */
export class SmallMap<K, V extends object> {
  /** All entries, once there has been a second one. */
  #entries: Map<K, V> | undefined;
  #key: K | undefined;
  /** The only entry's; `undefined` if there is no entry, or if `#entries` has them. */
  #value: V | undefined;

  get size(): number {
    return this.#entries?.size ?? (this.#value ? 1 : 0);
  }

  get(key: K): V | undefined {
    if (this.#entries) return this.#entries.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    if (this.#value && this.#key !== key) {
      this.#entries = new Map([[this.#key as K, this.#value]]);
      this.#forget();
    }
    if (this.#entries) {
      this.#entries.set(key, value);
    } else {
      this.#key = key;
      this.#value = value;
    }
  }

  delete(key: K): void {
    if (this.#entries) this.#entries.delete(key);
    else if (this.#key === key) this.#forget();
  }

  *keys(): Iterable<K> {
    for (const [key] of this) yield key;
  }

  *[Symbol.iterator](): Iterator<[K, V]> {
    if (this.#entries) yield* this.#entries;
    else if (this.#value) yield [this.#key as K, this.#value];
  }

  #forget(): void {
    this.#key = undefined;
    this.#value = undefined;
  }
}
