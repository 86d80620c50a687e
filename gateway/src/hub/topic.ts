import type { RawDialect, Wire } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';

/** Whoever can be on a topic of the transport. */
export interface TopicSubscriber {
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
}

/** Who has topics. */
export interface TopicOwner {
  /** The last who used it has released it. */
  onUnused(topic: Topic): void;
}

const NOWHERE: LogPosition = { epoch: 0, offset: 0 };

/**
 * Those who are sent the same bytes: one publish of the transport per frame, whatever their number.
 * A channel has a topic for each dialect that somebody on it speaks.
 */
export class Topic {
  /** Its name at the transport. */
  readonly name: string;
  readonly dialect: RawDialect;
  /** Position of the last frame handed to the transport: a client that stands there may enter. */
  flushed: LogPosition;
  readonly #owner: TopicOwner | undefined;
  #subscribers = 0;
  #users = 0;

  constructor(name: string, dialect: RawDialect, flushed = NOWHERE, owner?: TopicOwner) {
    this.name = name;
    this.dialect = dialect;
    this.flushed = flushed;
    this.#owner = owner;
  }

  /** Frames of its dialect as one WebSocket frame; more than one only where the dialect can join them. */
  pack(frames: readonly Wire[]): Wire {
    return this.dialect.join?.(frames) ?? (frames[0] as Wire);
  }

  /** How many get what is published to it now. */
  get subscribers(): number {
    return this.#subscribers;
  }

  /** It is kept, with its position, until as many have released it: a client uses it from the start of its join. */
  use(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) this.#owner?.onUnused(this);
  }

  /** From here on the subscriber gets what is published to it. */
  enter(subscriber: TopicSubscriber): void {
    this.#subscribers++;
    subscriber.subscribe(this.name);
  }

  leave(subscriber: TopicSubscriber): void {
    this.#subscribers--;
    subscriber.unsubscribe(this.name);
  }
}
