/** Counts the bytes that the request bodies of a transport take up together, and limits them. */
export class BodyRoom {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /**
   * Takes so many bytes if that many are left, and says whether they were. Bytes that were taken have to be given back.
   */
  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#free += bytes;
  }
}

const NO_BYTES = Buffer.alloc(0);
const MIN_GROWTH_BYTES = 4096;

/**
 * A request body as it comes in: one buffer, however small the chunks (an object for each would take
 * up a hundred times the body). It grows by what came, never by what a header announces.
 */
export class IncomingBody {
  #buffer = NO_BYTES;
  #length = 0;
  readonly #maxBytes: number;
  readonly #room: BodyRoom;

  constructor(maxBytes: number, room: BodyRoom) {
    this.#maxBytes = maxBytes;
    this.#room = room;
  }

  /**
   * Copies a chunk. Returns `undefined`, or the reason why it could not; then everything that came before is forgotten
   * too.
   * @param isLast whether this is known to be the last chunk: then the buffer is made to fit exactly
   */
  add(chunk: Uint8Array, isLast: boolean): 'too_large' | 'no_room' | undefined {
    const needed = this.#length + chunk.length;
    if (needed > this.#maxBytes) return this.#refuse('too_large');
    if (needed > this.#buffer.length) {
      const roomy = Math.max(needed, 2 * this.#buffer.length, MIN_GROWTH_BYTES);
      const capacity = isLast ? needed : Math.min(this.#maxBytes, roomy);
      if (!this.#room.take(capacity - this.#buffer.length)) return this.#refuse('no_room');
      const larger = Buffer.allocUnsafe(capacity);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
    return undefined;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Gives the bytes back. To be called once nobody needs them any more. */
  release(): void {
    this.#room.giveBack(this.#buffer.length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
  }

  #refuse<Why>(why: Why): Why {
    this.release();
    return why;
  }
}
