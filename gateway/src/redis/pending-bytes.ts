/** About how many bytes a waiting message takes up besides its own bytes. */
const MESSAGE_BYTES = 300;

/**
 * Limits, for each master, the bytes of messages that wait for it or are on their way to it. So a master that is away
 * fills only its own share.
 */
export class PendingBytes {
  readonly #max: number;
  readonly #byMaster = new Map<string, number>();

  /** @param max most bytes for one master; a message counts for a little more than its own bytes */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Takes the bytes of a message. Returns a function that gives them back; `undefined`: too much waits for this master
   * already.
   */
  take(master: string, messageBytes: number): (() => void) | undefined {
    const bytes = messageBytes + MESSAGE_BYTES;
    const pending = this.#byMaster.get(master) ?? 0;
    if (pending + bytes > this.#max) return undefined;
    this.#byMaster.set(master, pending + bytes);
    return () => {
      const left = (this.#byMaster.get(master) as number) - bytes;
      if (left > 0) this.#byMaster.set(master, left);
      else this.#byMaster.delete(master);
    };
  }
}
