/** Most bytes of one queue, which holds frames behind an unanswered `connect`, or replies to a socket that lags. */
const MAX_BYTES = 64 * 1024;
/** How many bytes each item counts for besides its own. */
const ITEM_BYTES = 64;

/** Frames of one connection that wait for a while, in order and within bounds. */
export class BoundedQueue<Item extends string | Uint8Array> {
  readonly items: Item[] = [];
  #bytes = 0;

  /** Adds an item, of which no copy is made. Returns `false` if too much waits already. */
  add(item: Item): boolean {
    this.#bytes += ITEM_BYTES + (typeof item === 'string' ? Buffer.byteLength(item) : item.length);
    this.items.push(item);
    return this.#bytes <= MAX_BYTES;
  }
}
