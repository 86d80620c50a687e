/**
 * What became of the latest messages on this gateway: a ring of events, overwritten from the oldest on, in memory of a
 * fixed size. It is so plain that every layer may write to it on the hot path: one event takes some ten nanoseconds. It
 * is read by those who ask why a message did or did not arrive (`why/`). It has events of channels with a log only,
 * because others have no positions.
 */
import type { LogPosition } from './broker/record.js';

/** The kinds of events, and what the fields of an event mean. Offsets are `from` to `to`, both included. */
export const EVENT = {
  /** A publisher was told that message `to` is stored; `who`: the entrance and who it was. */
  published: 1,
  /** The channel came alive here, and follows what comes after `to`. */
  opened: 2,
  /** Nobody is on the channel here any more. */
  closed: 3,
  /** Messages were read from the log, because their push did not come or could not be taken. */
  read: 4,
  /** Messages were handed to the transport for `count` clients. */
  flushed: 5,
  /** All clients were told a reset, and stand at `to`; `who`: the reason. */
  reset: 6,
  /** A session was told that it stands at `to`; `who` is the session. */
  joined: 7,
  /** A session was told a reset, and stands at `to`; `who` is the session. */
  joinedAnew: 8,
  /** Messages were sent to one session alone, from the tail or the log; `who` is the session. */
  replayed: 9,
  /** From now on a session gets what the channel flushes after `to`; `who` is the session. */
  live: 10,
  /** A session gets nothing any more; the channel had flushed up to `to`. `who` is the session. */
  left: 11,
  /** As `left`, because the client reads too slowly: the last messages before `to` may have been dropped for it. */
  lagged: 12,
  /** As `left`, because the connection ended. */
  disconnected: 13,
} as const;

export type EventName = keyof typeof EVENT;

const NAMES = Object.fromEntries(Object.entries(EVENT).map(([name, kind]) => [kind, name])) as Record<
  number,
  EventName
>;

export interface FlightEvent {
  readonly what: EventName;
  /** When it happened, ms since the Unix epoch. */
  readonly at: number;
  readonly who: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export class FlightRecorder {
  readonly #size: number;
  readonly #wall: () => number;
  readonly #kinds: Uint8Array;
  readonly #times: Float64Array;
  readonly #epochs: Float64Array;
  readonly #froms: Float64Array;
  readonly #tos: Float64Array;
  readonly #counts: Uint32Array;
  readonly #channels: string[];
  readonly #who: string[];
  #written = 0;
  #next = 0;

  /** @param size how many events it holds, of some 60 bytes each; 0: it records nothing */
  constructor(size: number, wall: () => number = Date.now) {
    this.#size = size;
    this.#wall = wall;
    this.#kinds = new Uint8Array(size);
    this.#times = new Float64Array(size);
    this.#epochs = new Float64Array(size);
    this.#froms = new Float64Array(size);
    this.#tos = new Float64Array(size);
    this.#counts = new Uint32Array(size);
    this.#channels = new Array<string>(size).fill('');
    this.#who = new Array<string>(size).fill('');
  }

  get isOn(): boolean {
    return this.#size > 0;
  }

  note(kind: number, channel: string, who: string, epoch: number, from: number, to: number, count = 0): void {
    if (this.#size === 0) return;
    const slot = this.#next;
    this.#next = slot + 1 === this.#size ? 0 : slot + 1;
    this.#written++;
    this.#kinds[slot] = kind;
    this.#times[slot] = this.#wall();
    this.#channels[slot] = channel;
    this.#who[slot] = who;
    this.#epochs[slot] = epoch;
    this.#froms[slot] = from;
    this.#tos[slot] = to;
    this.#counts[slot] = count;
  }

  /** Notes an event about one position. */
  noteAt(kind: number, channel: string, who: string, { epoch, offset }: LogPosition): void {
    this.note(kind, channel, who, epoch, offset, offset);
  }

  /** The time since which nothing is forgotten, ms since the Unix epoch; `undefined`: since the beginning. */
  get since(): number | undefined {
    return this.#written > this.#size ? this.#times[this.#next] : undefined;
  }

  /** The events of a channel, oldest first. */
  *of(channel: string): Iterable<FlightEvent> {
    const held = Math.min(this.#written, this.#size);
    for (let nth = 0; nth < held; nth++) {
      const slot = (this.#next - held + nth + this.#size) % this.#size;
      if (this.#channels[slot] !== channel) continue;
      yield {
        what: NAMES[this.#kinds[slot] as number] as EventName,
        at: this.#times[slot] as number,
        who: this.#who[slot] as string,
        epoch: this.#epochs[slot] as number,
        from: this.#froms[slot] as number,
        to: this.#tos[slot] as number,
        count: this.#counts[slot] as number,
      };
    }
  }
}
