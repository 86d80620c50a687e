import type { Dialect, MessageFrame, ServerFrame, Wire } from '@fanfare/protocol';
import { Contiguity } from '@fanfare/protocol/suite/contiguity';
import { numberOf } from './payloads.js';
import type { VirtualWorld } from './virtual-world.js';

/** What the lines of a run do. */
export interface LineHabits {
  /** Messages that a client does not get, as with a filter: what follows covers them, or a `position`. */
  readonly hides: boolean;
  /** Messages that leave together may be rolled up into one. */
  readonly rolls: boolean;
  /** Frames that leave together leave as one array. */
  readonly joins: boolean;
  /** Messages get lost or come twice, which happens on no WebSocket: the SDK has to mend it. */
  readonly loses: boolean;
}

/** What happened on the lines of a run. */
export interface LineCounts {
  arrays: number;
  /** Frames that cover more than one offset. */
  covering: number;
  positions: number;
  /** Messages and positions that were lost or came twice. */
  spoiled: number;
}

export interface LineEnd {
  /** In which the client speaks. */
  readonly dialect: Dialect;
  readonly counts: LineCounts;
  onWire(wire: Wire): void;
  onProblem(what: string): void;
}

/** What a message says that stands for several: each with its offset. */
export interface RolledUp {
  readonly parts: readonly (readonly [offset: number, data: unknown])[];
}

/** Where a channel stands on a line. */
interface Standing {
  /** The client has been sent what covers everything up to here. */
  sent: number;
  /** Everything up to here came from the gateway; what was not sent on is hidden. */
  came: number;
}

/** What was hidden is covered by a `position` after this at the latest, ms. */
const POSITION_AFTER_MS = 1_000;

/** Whether a client of a run that hides messages does not get this one. */
export function isHidden(data: unknown): boolean {
  return numberOf(data) % 3 === 1;
}

/**
 * The way from a gateway to one client. It puts frames together as a gateway may that has filters,
 * rolled-up replays and full turns, whether this one has them or not. What it sends is held to the
 * protocol; what the gateway sent is too.
 */
export class Line {
  readonly #world: VirtualWorld;
  readonly #choose: (options: number) => number;
  readonly #habits: LineHabits;
  readonly #end: LineEnd;
  readonly #fromGateway = new Contiguity();
  readonly #toClient = new Contiguity();
  readonly #standings = new Map<string, Standing>();
  #waiting: ServerFrame[] = [];
  #isOver = false;
  /** Nothing is lost from now on. */
  isMended = false;

  constructor(world: VirtualWorld, choose: (options: number) => number, habits: LineHabits, end: LineEnd) {
    this.#world = world;
    this.#choose = choose;
    this.#habits = habits;
    this.#end = end;
  }

  /** The gateway sends this. */
  push(wire: Wire): void {
    for (const frame of this.#end.dialect.decodeAll(wire) as unknown as ServerFrame[]) {
      this.#hold(this.#fromGateway, 'the gateway', frame);
      this.#waiting.push(frame);
    }
    this.#world.schedule(() => this.#forward(1 + this.#choose(5)), 'line forwards');
  }

  /** The connection is over: what is on the way is lost. */
  close(): void {
    this.#isOver = true;
  }

  #forward(count: number): void {
    if (this.#isOver) return;
    const frames: ServerFrame[] = [];
    for (const frame of this.#waiting.splice(0, count)) this.#take(frame, frames);
    for (const channel of this.#standings.keys()) {
      if (this.#choose(3) === 0) this.#tell(channel, frames);
      else this.#tellLater(channel);
    }
    this.#send(frames);
    if (this.#waiting.length > 0) this.#world.schedule(() => this.#forward(1 + this.#choose(5)), 'line forwards');
  }

  /** Adds the frame, or what stands for it, to those that leave now. */
  #take(frame: ServerFrame, frames: ServerFrame[]): void {
    switch (frame.type) {
      case 'subscribed':
      case 'reset': {
        const { offset } = frame;
        // The reset is about where the gateway has the client, hidden messages included.
        if (frame.type === 'reset') this.#tell(frame.channel, frames);
        if (offset !== undefined) this.#standings.set(frame.channel, { sent: offset, came: offset });
        break;
      }
      case 'unsubscribed':
        this.#standings.delete(frame.channel);
        break;
      case 'lagged':
        for (const channel of frame.channels) this.#standings.delete(channel);
        break;
      case 'message':
        this.#takeMessage(frame, frames);
        return;
      case 'epoch': {
        const standing = this.#standings.get(frame.channel);
        if (standing === undefined) break;
        const covers = standing.sent < frame.offset;
        frames.push({ ...frame, ...(covers && { prev: this.#early(standing.sent) }) });
        standing.sent = frame.offset;
        standing.came = frame.offset;
        return;
      }
    }
    frames.push(frame);
  }

  #takeMessage(frame: MessageFrame, frames: ServerFrame[]): void {
    const { channel, offset } = frame;
    const standing = this.#standings.get(channel);
    if (standing === undefined || offset === undefined) {
      frames.push(frame);
      return;
    }
    standing.came = offset;
    if (this.#habits.hides && isHidden(frame.data)) return;
    const last = frames.at(-1);
    if (this.#habits.rolls && last?.type === 'message' && last.channel === channel && this.#choose(2) === 0) {
      const { prev = (last.offset as number) - 1 } = last;
      const data: RolledUp = { parts: [...partsOf(last.offset as number, last.data), [offset, frame.data]] };
      frames.splice(-1, 1, { ...frame, data, prev });
    } else {
      const covers = standing.sent < offset - 1 || this.#choose(4) === 0;
      frames.push({ ...frame, ...(covers && { prev: this.#early(standing.sent) }) });
    }
    standing.sent = offset;
  }

  /** What was hidden is covered now. */
  #tell(channel: string, frames: ServerFrame[]): void {
    const standing = this.#standings.get(channel);
    if (standing === undefined || standing.sent === standing.came) return;
    frames.push({ type: 'position', channel, offset: standing.came, prev: this.#early(standing.sent) });
    standing.sent = standing.came;
  }

  #tellLater(channel: string): void {
    const standing = this.#standings.get(channel);
    if (standing === undefined || standing.sent === standing.came) return;
    this.#world.after(POSITION_AFTER_MS, () => {
      if (this.#isOver) return;
      const frames: ServerFrame[] = [];
      this.#tell(channel, frames);
      this.#send(frames);
    });
  }

  /** A frame may begin to cover before where the client stands, unless it would cover what was lost. */
  #early(offset: number): number {
    return this.#habits.loses ? offset : Math.max(0, offset - this.#choose(4));
  }

  #send(frames: readonly ServerFrame[]): void {
    const { counts, dialect } = this.#end;
    for (const frame of frames) {
      this.#hold(this.#toClient, 'the line', frame);
      if ('prev' in frame) counts.covering++;
      if (frame.type === 'position') counts.positions++;
    }
    const sent = this.#habits.loses && !this.isMended ? frames.flatMap((frame) => this.#spoil(frame)) : frames;
    if (sent.length > 1 && this.#habits.joins) {
      counts.arrays++;
      this.#end.onWire(dialect.encode(sent));
      return;
    }
    // The client may end the connection in the middle.
    for (const frame of sent) if (!this.#isOver) this.#end.onWire(dialect.encode(frame));
  }

  /** The frame never, once, or twice. */
  #spoil(frame: ServerFrame): ServerFrame[] {
    // On a live channel nobody could mend it.
    if ((frame.type !== 'message' && frame.type !== 'position') || frame.offset === undefined) return [frame];
    const luck = this.#choose(12);
    if (luck < 2) this.#end.counts.spoiled++;
    return luck === 0 ? [] : luck === 1 ? [frame, frame] : [frame];
  }

  #hold(contiguity: Contiguity, who: string, frame: ServerFrame): void {
    const problem = contiguity.take({ ...frame });
    if (problem !== undefined) this.#end.onProblem(`was sent by ${who} ${problem}`);
  }
}

/** What a message stands for: itself, or what was rolled up in it. */
export function partsOf(offset: number, data: unknown): RolledUp['parts'] {
  const isRolledUp = typeof data === 'object' && data !== null && 'parts' in data;
  return isRolledUp ? (data as RolledUp).parts : [[offset, data]];
}
