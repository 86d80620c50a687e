/**
 * Holds what one connection is sent to "Contiguity" of docs/PROTOCOL.md: on a durable channel each frame
 * follows the one before, and nothing of a channel comes where the client is not on it. An SDK would mend
 * a hole by itself; here it counts.
 */
export class Contiguity {
  /** Where the client stands, by channel; `undefined` on live channels. */
  #offsets = new Map();

  /** Takes the next frame of the gateway; what is wrong with it, `undefined` if nothing. */
  take(frame) {
    switch (frame.type) {
      case 'subscribed':
        this.#offsets.set(frame.channel, frame.offset);
        return undefined;
      case 'unsubscribed':
        this.#offsets.delete(frame.channel);
        return undefined;
      case 'lagged':
        for (const channel of frame.channels) this.#offsets.delete(channel);
        return undefined;
      case 'message':
      case 'position':
      case 'epoch':
      case 'reset':
        return this.#follow(frame);
    }
  }

  #follow({ type, channel, offset, prev }) {
    const where = `${type} of ${channel} at ${offset}${prev === undefined ? '' : ` with prev ${prev}`}`;
    if (!this.#offsets.has(channel)) return `${where}, which it is not on`;
    const before = this.#offsets.get(channel);
    this.#offsets.set(channel, offset);
    if (before === undefined) return offset === undefined ? undefined : `${where}, which is live`;
    if (type === 'reset') return undefined;
    // An epoch begins where the client stands, or behind what it covers.
    const isCovered =
      type === 'epoch'
        ? (prev ?? offset) <= before && before <= offset
        : (prev ?? offset - 1) <= before && before < offset;
    return isCovered ? undefined : `${where} after ${before}`;
  }
}
