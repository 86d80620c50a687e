import type { LogRecord } from '../broker/record.js';
import { Channel, type Membership } from './channel.js';
import { Entry } from './entry.js';
import type { Joined, Start } from './subscriber.js';

/** A channel without a log. Clients that are on it get what is pushed; others have missed it. */
export class LiveChannel extends Channel {
  override get head(): undefined {
    return undefined;
  }

  override async join(membership: Membership, _start: Start, onJoined: (joined: Joined) => void): Promise<void> {
    await this.ready();
    await caughtUp(membership);
    if (membership.hasLeft) return;
    onJoined({});
    // The answer itself may have been dropped.
    if (membership.subscriber.isLagging) await caughtUp(membership);
    if (!membership.hasLeft) membership.goLive();
  }

  override onRecord(record: LogRecord): void {
    if (this.queue.isFull) this.context.stats.liveDropped++;
    else this.queue.push(new Entry(this.spec.name, record, false));
  }

  override onInterrupted(): void {}
  override onResumed(): void {}
  override onDoubt(): void {}

  override async audit(): Promise<void> {}

  protected override async activate(): Promise<void> {}
}

/**
 * If frames were dropped for the client, waits until it has read everything, because nothing may follow the hole.
 * Frames that merely wait keep their order, so they need not be waited for.
 */
async function caughtUp(membership: Membership): Promise<void> {
  while (membership.subscriber.isLagging && !membership.hasLeft) await membership.subscriber.drained();
}
