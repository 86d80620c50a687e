import type { PublishOutcome } from '../broker/broker.js';
import type { LogPosition } from '../broker/record.js';
import { isBefore } from '../broker/resume.js';
import { type Clock, sleep } from '../clock.js';
import type { SendQueue } from './send-queue.js';
import type { Topic } from './topic.js';

/** How long after the answer to a publish its push may come before the log is asked, ms. */
const PUSH_MS = 200;

/** The part of a channel that its publishes need. */
interface PublishedChannel {
  /** The last record taken over, whether flushed yet or not. */
  readonly cursor: LogPosition;
  readonly queue: Pick<SendQueue, 'flushing' | 'progress' | 'pending'>;
  /** Repairs at least up to a position that somebody saw in the log. @throws {FanfareError} `unavailable` */
  catchUp(seen: LogPosition): Promise<void>;
}

/**
 * How far the log goes, as publishers of this gateway were told. A client that joins after such an answer begins after
 * that message and does not get it, although its push may come later than the answer.
 */
export class OwnPublishes {
  readonly #channel: PublishedChannel;
  readonly #clock: Clock;
  /** The last position that a publisher of this gateway was told. */
  #last: LogPosition = { epoch: 0, offset: 0 };

  constructor(channel: PublishedChannel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Notes that the broker has answered a publish of this gateway. */
  answered(outcomes: readonly PublishOutcome[]): void {
    for (const outcome of outcomes) {
      if (outcome instanceof Error || !outcome.position) continue;
      if (isBefore(this.#last, outcome.position)) this.#last = outcome.position;
    }
  }

  /** Waits until the topic has flushed up to the last publish that was answered before this call. Never rejects. */
  async flushed(topic: Pick<Topic, 'flushed'>): Promise<void> {
    const channel = this.#channel;
    const position = this.#last;
    if (!isBefore(topic.flushed, position)) return;
    const lateAt = this.#clock.now() + PUSH_MS;
    while (isBefore(topic.flushed, position) && this.#clock.now() < lateAt) {
      await Promise.race([channel.queue.flushing(), sleep(this.#clock, PUSH_MS)]);
    }
    // A failover may have lost the position, or the log may be out of reach. That keeps nobody from joining where the
    // channel stands.
    if (isBefore(topic.flushed, position)) await channel.catchUp(position).catch(() => {});
    // A publish that was answered meanwhile may still be on its way, so what is forgotten is this position alone.
    if (this.#last === position && isBefore(channel.cursor, position)) this.#last = channel.cursor;
    while (isBefore(topic.flushed, position) && channel.queue.pending > 0) await channel.queue.progress();
  }
}
