import { pushName } from '../../../redis/keys.js';
import type { ChannelListener, ChannelSpec } from '../../broker.js';
import type { LogRecord } from '../../record.js';
import type { PushLink } from './push-link.js';

/** A listener that was told a doubt and has not read the log since is told again only after so many further doubts. */
const DOUBTS_UNTIL_TOLD_AGAIN = 10;

/** One subscribed channel, across the links that carry it one after the other. */
export class ChannelSubscription {
  readonly spec: ChannelSpec;
  /** The sharded pub/sub name of the channel. */
  readonly name: string;
  /** When a read should next lengthen the life of the identity of the log, ms of the clock. */
  renewAt = Number.NEGATIVE_INFINITY;
  readonly #listener: ChannelListener;
  #link: PushLink | undefined;
  #state: 'waiting' | 'acknowledged' | 'interrupted' | 'ended' = 'waiting';
  #doubtsSinceRead = 0;
  /**
   * Called once, when the subscription is acknowledged for the first time. It is dropped then, with everything that it
   * holds in memory.
   */
  onFirstAck: (() => void) | undefined;

  constructor(spec: ChannelSpec, db: number, listener: ChannelListener, onFirstAck?: () => void) {
    this.spec = spec;
    this.name = pushName(spec.name, db);
    this.#listener = listener;
    this.onFirstAck = onFirstAck;
  }

  /** The link on which the subscription was asked for; `undefined`: it has to be asked for. */
  get link(): PushLink | undefined {
    return this.#link;
  }

  get isInterrupted(): boolean {
    return this.#state === 'interrupted';
  }

  asked(link: PushLink): void {
    this.#link = link;
  }

  /** @returns whether the channel was interrupted until now */
  acknowledged(link: PushLink): boolean {
    if (this.#link !== link) return false;
    const wasInterrupted = this.#state === 'interrupted';
    this.#state = 'acknowledged';
    this.onFirstAck?.();
    this.onFirstAck = undefined;
    if (wasInterrupted) this.#listener.onResumed();
    return wasInterrupted;
  }

  /** Notes that no link carries the channel any more. */
  lost(): void {
    this.#link = undefined;
    if (this.#state !== 'acknowledged') return;
    this.#state = 'interrupted';
    this.#listener.onInterrupted();
  }

  deliver(link: PushLink, record: LogRecord): void {
    if (this.#link === link) this.#listener.onRecord(record);
  }

  /** Tells the listener to compare with the log; once for all doubts that come before it has done so. */
  doubt(): void {
    if (this.#state !== 'acknowledged') return;
    if (this.#doubtsSinceRead++ % DOUBTS_UNTIL_TOLD_AGAIN === 0) this.#listener.onDoubt();
  }

  /** Notes that the log of the channel is being read, by whomever. */
  reading(): void {
    this.#doubtsSinceRead = 0;
  }

  /** Ends the subscription: the listener is called no more. */
  ended(): void {
    this.#state = 'ended';
    this.#link = undefined;
    this.onFirstAck = undefined;
  }
}
