/** About how many bytes a message that waits occupies besides its own. */
const MESSAGE_BYTES = 300;

/** Bytes of messages that wait for each master or are on their way to it: one that is away fills its own share only. */
export class PendingBytes {
  readonly #max: number;
  readonly #byMaster = new Map<string, number>();

  /** @param max for one master; a message counts for some more than it has */
  constructor(max: number) {
    this.#max = max;
  }

  /** Returns what gives the bytes back; `undefined`: too much waits already. */
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
