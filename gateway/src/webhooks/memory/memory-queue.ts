import { type Clock, pause } from '../../clock.js';
import type { Endpoint } from '../endpoint.js';
import { BATCH_EVENTS, type EventQueue, GIVE_UP, type GiveUpRule, type QueueStats } from '../event-queue.js';
import { type EventJson, type QueuedEvent, typeOf } from '../events.js';

interface MemoryQueueOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** What the ids of all events begin with. It is unique for this life of the gateway. */
  readonly instance: string;
  readonly types: ReadonlySet<string>;
  /** Most events that wait to be sent. Beyond that the oldest are dropped. */
  readonly maxEvents: number;
  readonly giveUp?: Partial<GiveUpRule>;
}

/**
 * The queue of a single process. All events are sent in one order. Events that wait are lost with the process, and dead
 * letters are only counted.
 */
export class MemoryQueue implements EventQueue {
  readonly stats: QueueStats = { added: 0, delivered: 0, dropped: 0, dead: 0 };
  readonly #options: MemoryQueueOptions;
  readonly #giveUp: GiveUpRule;
  #waiting: (QueuedEvent & { readonly addedAtMs: number })[] = [];
  #isSending = false;
  /** How many of the events in front are on their way. */
  #sending = 0;
  #isClosed = false;

  constructor(options: MemoryQueueOptions) {
    this.#options = options;
    this.#giveUp = { ...GIVE_UP, ...options.giveUp };
  }

  start(): void {}

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  add(_channel: string, event: EventJson): void {
    const { types, maxEvents, instance, clock } = this.#options;
    if (!types.has(typeOf(event) ?? '')) return;
    if (this.#isClosed) {
      this.stats.dropped++;
      return;
    }
    // The events in front are on their way, and cannot be dropped.
    if (this.#waiting.length - this.#sending >= maxEvents) {
      this.stats.dropped++;
      this.#waiting.splice(this.#sending, 1);
    }
    this.#waiting.push({ id: `${instance}-${++this.stats.added}`, event, addedAtMs: clock.now() });
    if (this.#isSending) return;
    this.#isSending = true;
    // It is sent together with the other events of this turn of the event loop.
    clock.soon(() => void this.#sendAll());
  }

  async #sendAll(): Promise<void> {
    const { endpoint, clock } = this.#options;
    for (let refusals = 0; this.#waiting.length > 0 && !this.#isClosed; ) {
      await endpoint.turn(async (send) => {
        const events = this.#waiting.slice(0, BATCH_EVENTS);
        const first = events[0];
        if (!first || this.#isClosed) return;
        this.#sending = events.length;
        const { outcome } = await send({ id: `${first.id}_${events.at(-1)?.id}`, events });
        this.#sending = 0;
        refusals = outcome === 'refused' ? refusals + 1 : 0;
        if (outcome === 'down') {
          // The time that an event may wait is counted for each event by itself.
          const since = clock.now() - this.#giveUp.downMs;
          const over = events.filter(({ addedAtMs }) => addedAtMs < since).length;
          this.#waiting = this.#waiting.slice(over);
          this.stats.dead += over;
          return;
        }
        if (outcome === 'refused' && refusals < this.#giveUp.refusals) return;
        this.#waiting = this.#waiting.slice(events.length);
        if (outcome === 'refused') this.stats.dead += events.length;
        else this.stats.delivered += events.length;
        refusals = 0;
      });
      if (refusals > 0) await pause(clock, refusals);
    }
    this.#isSending = false;
  }
}
