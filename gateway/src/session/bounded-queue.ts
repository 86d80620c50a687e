/** Most bytes of one queue: of frames behind an unanswered `connect`, or of replies to a socket that lags. */
const MAX_BYTES = 64 * 1024;
/** What each item counts for besides its bytes. */
const ITEM_BYTES = 64;

/** What a connection lets wait for a while, in order and within bounds. */
export class BoundedQueue<Item extends string | Uint8Array> {
  readonly items: Item[] = [];
  #bytes = 0;

  /** Keeps the item itself, not a copy. `false`: too much waits. */
  add(item: Item): boolean {
    this.#bytes += ITEM_BYTES + (typeof item === 'string' ? Buffer.byteLength(item) : item.length);
    this.items.push(item);
    return this.#bytes <= MAX_BYTES;
  }
}
