import type { RawDialect } from '@fanfare/protocol';
import { type Cancel, type Clock, sleep } from '../clock.js';
import type { SendScheduler } from '../hub/send-scheduler.js';
import type { TopicSubscriber } from '../hub/topic.js';
import { decodeCursor } from './presence-cursor.js';
import { type Listening, PresenceRoom } from './presence-room.js';
import type { PresencePage, PresenceStore, PresentSession } from './presence-store.js';

interface PresenceOptions {
  readonly store: PresenceStore;
  readonly scheduler: SendScheduler;
  readonly clock: Clock;
  readonly onFault: (message: string, error?: unknown) => void;
  readonly timings?: Partial<PresenceServiceTimings>;
}

interface PresenceServiceTimings {
  /** How long a user whose connection broke still counts as present, ms. Default 5 s. */
  readonly graceMs: number;
  /**
   * How long a subscribe waits until its session is stored as present, ms. After that, storing goes on in the
   * background. Default 2 s.
   */
  readonly enterMs: number;
  /** How long the members of a channel are kept at hand after nobody listens to it any more, ms. Default 5 s. */
  readonly lingerMs: number;
}

const TIMINGS: PresenceServiceTimings = { graceMs: 5_000, enterMs: 2_000, lingerMs: 5_000 };

/** The presence of this gateway's clients, and what they are told about that of others. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #timings: PresenceServiceTimings;
  readonly #rooms = new Map<string, PresenceRoom>();
  /**
   * By how much the grace is longer while this gateway sends its clients elsewhere, ms; `undefined` while it does not.
   */
  #drainMs: number | undefined;
  /** Sessions that will be taken off, by channel and session, each with a function that keeps it on. */
  readonly #leaving = new Map<string, Cancel>();

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#timings = { ...TIMINGS, ...options.timings };
  }

  start(): void {
    this.#options.store.start();
  }

  /**
   * Makes a client a member of the channel. `leave` has to be called in the end. Resolves once the session is stored,
   * or after `enterMs`.
   */
  async enter(channel: string, session: PresentSession): Promise<void> {
    const { store, clock } = this.#options;
    const name = placeOf(channel, session.session);
    this.#leaving.get(name)?.();
    this.#leaving.delete(name);
    await Promise.race([store.add(channel, session), sleep(clock, this.#timings.enterMs)]);
  }

  /** @param isAbrupt whether the client may be back at once, because it did not say itself that it leaves */
  leave(channel: string, { session, user }: PresentSession, isAbrupt: boolean): void {
    const { store, clock } = this.#options;
    const name = placeOf(channel, session);
    // An anonymous client is another member when it comes back, so waiting for it would gain nothing.
    if (!isAbrupt || user === undefined) {
      store.remove(channel, session);
      return;
    }
    this.#leaving.get(name)?.();
    const cancel = clock.after(this.#timings.graceMs + (this.#drainMs ?? 0), () => {
      this.#leaving.delete(name);
      store.remove(channel, session);
    });
    this.#leaving.set(name, cancel);
  }

  /** Lets this client hear of joins and leaves of the channel, once `begin` is called on the result. */
  listen(channel: string, subscriber: TopicSubscriber, dialect: RawDialect): Listening {
    let room = this.#rooms.get(channel);
    if (!room) {
      const { store, scheduler, clock, onFault } = this.#options;
      const onEnd = (ended: PresenceRoom) => {
        if (this.#rooms.get(channel) === ended) this.#rooms.delete(channel);
      };
      room = new PresenceRoom(channel, { store, scheduler, clock, lingerMs: this.#timings.lingerMs, onEnd, onFault });
      this.#rooms.set(channel, room);
    }
    return room.listen(subscriber, dialect);
  }

  /**
   * The members of a channel that follow the page with this cursor.
   * @throws {FanfareError} `bad_request` if the cursor is not valid, `unavailable` if the members cannot be read
   */
  async page(channel: string, cursor: string | undefined, limit: number): Promise<PresencePage> {
    const after = decodeCursor(cursor);
    return this.#rooms.get(channel)?.page(after, limit) ?? this.#options.store.list(channel, { after, limit });
  }

  /**
   * To be called before clients are told to come back elsewhere within `spreadMs`. Until then they count as present.
   */
  drain(spreadMs: number): void {
    this.#drainMs = spreadMs;
  }

  /**
   * Ends presence, and leaves the sessions where they are. Their users come back elsewhere, or vanish with this
   * gateway's lease.
   */
  async close(): Promise<void> {
    for (const cancel of this.#leaving.values()) cancel();
    this.#leaving.clear();
    for (const room of [...this.#rooms.values()]) room.end();
    await this.#options.store.close(this.#drainMs === undefined ? 0 : this.#drainMs + this.#timings.graceMs);
  }
}

function placeOf(channel: string, session: string): string {
  // A space keeps the two apart, since channel names have none.
  return `${channel} ${session}`;
}
