import type { RawDialect, Wire } from '@fanfare/protocol';
import type { LogPosition } from '../broker/record.js';

/** Something that can be on a topic of the transport. */
export interface TopicSubscriber {
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
}

/** The owner of topics: what sends to them. */
export interface TopicOwner {
  /** Called when the last user of a topic has released it. */
  onUnused(topic: Topic): void;
}

/** Where whoever has not read the log yet stands. */
export const NOWHERE: LogPosition = { epoch: 0, offset: 0 };

/**
 * The subscribers that are sent the same bytes, by one publish of the transport for each frame, however many they are.
 * A channel has a topic for each dialect that somebody on it speaks.
 */
export class Topic {
  /** The name of the topic at the transport. */
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

  /**
   * Joins frames of the topic's dialect to one WebSocket frame. There may be more than one only if the dialect can join
   * them.
   */
  pack(frames: readonly Wire[]): Wire {
    return this.dialect.join?.(frames) ?? (frames[0] as Wire);
  }

  /** How many subscribers get what is published to the topic now. */
  get subscribers(): number {
    return this.#subscribers;
  }

  /**
   * Notes one more user. The topic is kept, with its position, until as many have released it. A client uses its topic
   * from the start of its join.
   */
  use(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) this.#owner?.onUnused(this);
  }

  /** Puts a subscriber onto the topic: from now on it gets what is published there. */
  enter(subscriber: TopicSubscriber): void {
    this.#subscribers++;
    subscriber.subscribe(this.name);
  }

  leave(subscriber: TopicSubscriber): void {
    this.#subscribers--;
    subscriber.unsubscribe(this.name);
  }
}
