/** What a connection lets wait, within bounds. */
import type { Wire } from '@fanfare/protocol';

/** Most bytes of frames that wait behind an unanswered `connect`, and of replies to a socket that lags. */
const MAX_WAITING_BYTES = 64 * 1024;
/** What each counts for besides its bytes. */
const ITEM_BYTES = 64;

class Bounded<Item> {
  readonly items: Item[] = [];
  #bytes = 0;

  /** `false`: too much waits. */
  protected keep(item: Item, bytes: number): boolean {
    this.#bytes += bytes + ITEM_BYTES;
    this.items.push(item);
    return this.#bytes <= MAX_WAITING_BYTES;
  }
}

/** Frames behind `connect`, handled once it is accepted. */
export class PendingFrames extends Bounded<Uint8Array> {
  /** Copies it. `false`: too much waits. */
  add(frame: Uint8Array): boolean {
    return this.keep(new Uint8Array(frame), frame.length);
  }
}

/** What waits while the client has not read what it was sent. */
export class Lag extends Bounded<Wire> {
  readonly sinceMs: number;
  /** Channels it was taken off and has not been told of. */
  readonly channels: Set<string>;

  constructor(sinceMs: number, channels: Set<string>) {
    super();
    this.sinceMs = sinceMs;
    this.channels = channels;
  }

  /** A reply that it gets behind `lagged`. `false`: too much waits. */
  add(reply: Wire): boolean {
    return this.keep(reply, typeof reply === 'string' ? Buffer.byteLength(reply) : reply.length);
  }
}
