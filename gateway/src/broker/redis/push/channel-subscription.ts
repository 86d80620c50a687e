import { pushName } from '../../../redis/keys.js';
import type { ChannelListener, ChannelSpec } from '../../broker.js';
import type { LogRecord } from '../../record.js';
import type { PushLink } from './push-link.js';

/** A listener that was told a doubt, and has not read the log since, is told again only after so many. */
const DOUBTS_UNTIL_TOLD_AGAIN = 10;

/** One subscribed channel, across the links that carry it one after the other. */
export class ChannelSubscription {
  readonly spec: ChannelSpec;
  /** Its sharded pub/sub name. */
  readonly name: string;
  /** When a read shall lengthen the life of its identity next, ms. */
  renewAt = Number.NEGATIVE_INFINITY;
  readonly #listener: ChannelListener;
  #link: PushLink | undefined;
  #state: 'waiting' | 'acknowledged' | 'interrupted' | 'ended' = 'waiting';
  #doubtsSinceRead = 0;
  /** Called once, when it is acknowledged for the first time, and dropped then with all that it holds. */
  onFirstAck: (() => void) | undefined;

  constructor(spec: ChannelSpec, db: number, listener: ChannelListener, onFirstAck?: () => void) {
    this.spec = spec;
    this.name = pushName(spec.name, db);
    this.#listener = listener;
    this.onFirstAck = onFirstAck;
  }

  /** On which it was asked for; `undefined`: it must be asked for. */
  get link(): PushLink | undefined {
    return this.#link;
  }

  get isInterrupted(): boolean {
    return this.#state === 'interrupted';
  }

  asked(link: PushLink): void {
    this.#link = link;
  }

  /** @returns whether it was interrupted until now. */
  acknowledged(link: PushLink): boolean {
    if (this.#link !== link) return false;
    const wasInterrupted = this.#state === 'interrupted';
    this.#state = 'acknowledged';
    this.onFirstAck?.();
    this.onFirstAck = undefined;
    if (wasInterrupted) this.#listener.onResumed();
    return wasInterrupted;
  }

  /** No link carries it any more. */
  lost(): void {
    this.#link = undefined;
    if (this.#state !== 'acknowledged') return;
    this.#state = 'interrupted';
    this.#listener.onInterrupted();
  }

  deliver(link: PushLink, record: LogRecord): void {
    if (this.#link === link) this.#listener.onRecord(record);
  }

  /** Its listener should compare with the log, once for all doubts that come before it does. */
  doubt(): void {
    if (this.#state !== 'acknowledged') return;
    if (this.#doubtsSinceRead++ % DOUBTS_UNTIL_TOLD_AGAIN === 0) this.#listener.onDoubt();
  }

  /** Its log is read, by whomever, from now on. */
  reading(): void {
    this.#doubtsSinceRead = 0;
  }

  /** The listener hears nothing from now on. */
  ended(): void {
    this.#state = 'ended';
    this.#link = undefined;
    this.onFirstAck = undefined;
  }
}
