import type { ChannelSpec, LogPage, PublishOutcome } from '../broker/broker.js';
import { nextEpoch } from '../broker/memory/epochs.js';
import { MemoryLog } from '../broker/memory/memory-log.js';
import type { LogPosition, NewMessage } from '../broker/record.js';

/** The logs of a test, with the accidents that logs have. It remembers everything that the logs ever held. */
export class TestLog extends MemoryLog {
  readonly #stored = new Map<string, Set<string>>();

  override publish(channel: ChannelSpec, messages: readonly NewMessage[]): PublishOutcome[] {
    const outcomes = super.publish(channel, messages);
    for (const outcome of outcomes) {
      if (outcome instanceof Error || outcome.position === undefined) continue;
      const stored = this.#stored.get(channel.name) ?? new Set();
      this.#stored.set(channel.name, stored.add(nameOf(outcome.position)));
    }
    return outcomes;
  }

  /** Channels to which something was published. */
  get names(): readonly string[] {
    return [...this.#stored.keys()];
  }

  /** Whether a message was ever stored at this position. It may have been lost since. */
  held(channel: string, position: LogPosition): boolean {
    return this.#stored.get(channel)?.has(nameOf(position)) ?? false;
  }

  /** Everything the log holds now. */
  view(channel: ChannelSpec): LogPage {
    return this.read(channel, { last: true, limit: Number.POSITIVE_INFINITY });
  }

  /** Drops all entries but the last `keep`. */
  expire(channel: ChannelSpec, keep: number): void {
    const log = this.logOf(channel);
    log.trim(log.head.offset - keep);
  }

  /** Lets a replica take over that lacks the last `lost` entries, and their keys. */
  failOver(channel: ChannelSpec, lost: number): void {
    const log = this.logOf(channel);
    const base = Math.max(0, log.head.offset - lost);
    log.beginEpoch(nextEpoch(this.clock.wall()), base);
    for (const [name, entry] of this.keys.entries) {
      if (entry.channel === channel.name && entry.position.offset > base) this.keys.entries.delete(name);
    }
  }
}

function nameOf({ epoch, offset }: LogPosition): string {
  return `${epoch}-${offset}`;
}
