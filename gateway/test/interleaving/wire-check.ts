import type { ServerFrame } from '@fanfare/protocol';

/**
 * Holds one connection to what docs/PROTOCOL.md says of it: on a durable channel each message has the
 * offset of the one before + 1, and nothing of a channel comes after `lagged` or `unsubscribed`. The SDK
 * would mend a hole by itself; here it counts.
 */
export class WireCheck {
  readonly #problem: (what: string) => void;
  /** Where the connection stands, by channel. */
  readonly #offsets = new Map<string, number>();

  constructor(problem: (what: string) => void) {
    this.#problem = problem;
  }

  /** The client was given this frame. */
  received(frame: ServerFrame): void {
    switch (frame.type) {
      case 'subscribed':
      case 'reset':
        this.#offsets.set(frame.channel, frame.offset as number);
        break;
      case 'unsubscribed':
        this.#offsets.delete(frame.channel);
        break;
      case 'lagged':
        for (const channel of frame.channels) this.#offsets.delete(channel);
        break;
      case 'epoch':
      case 'message':
        this.#advance(frame.type, frame.channel, frame.offset as number);
        break;
    }
  }

  #advance(type: 'epoch' | 'message', channel: string, offset: number): void {
    const before = this.#offsets.get(channel);
    if (before === undefined) {
      this.#problem(`${type} of ${channel} at ${offset}, which it is not on`);
      return;
    }
    if (offset !== before + (type === 'message' ? 1 : 0))
      this.#problem(`${type} of ${channel} at ${offset} after ${before}`);
    this.#offsets.set(channel, offset);
  }
}
