import type { Position } from '@fanfare/client';

/** What one channel has delivered, counted from positions alone. */
export interface LedgerRow {
  readonly channel: string;
  /** The last message; before the first one where the subscription began. */
  readonly position: Position | undefined;
  readonly received: number;
  /** Of these, published while this page could not read: cut off, frozen, or too slow. */
  readonly caughtUp: number;
  /** Offsets that never came. */
  readonly lost: number;
  /** Messages at or before the position. */
  readonly duplicated: number;
  /** Times the gateway said that continuity is broken. */
  readonly resets: number;
  /** Known to be published, and not here yet. */
  readonly behind: number;
}

/**
 * The books of one channel. Every message must have the offset after the last one: a larger one means
 * that messages were lost, another one that it came twice. What the SDK believes plays no part.
 */
export class Ledger {
  readonly channel: string;
  #position: Position | undefined;
  #received = 0;
  #caughtUp = 0;
  #lost = 0;
  #duplicated = 0;
  #resets = 0;
  /** Messages up to this offset were published while this page could not read. */
  #missedTo = 0;
  /** Returns whose head is not known yet. */
  #open = 0;

  constructor(channel: string) {
    this.channel = channel;
  }

  /** The subscription begins after this position. */
  start(position: Position): void {
    this.#position = position;
  }

  /** Counts a message; answers whether it is one that had been missed. */
  receive({ epoch, offset }: Position): boolean {
    const expected = (this.#position?.offset ?? offset - 1) + 1;
    this.#received++;
    if (offset < expected) {
      this.#duplicated++;
      return false;
    }
    this.#lost += offset - expected;
    this.#position = { epoch, offset };
    const missed = offset <= this.#missedTo;
    if (missed) this.#caughtUp++;
    return missed || this.#open > 0;
  }

  /** Reading goes on after an interruption. The result is to be told the log's last offset as soon as it is known. */
  resume(): (headOffset: number | undefined) => void {
    const from = this.#position?.offset ?? 0;
    this.#open++;
    return (headOffset) => {
      this.#open--;
      if (headOffset === undefined || headOffset <= this.#missedTo) return;
      // What came before the answer did is counted now, the rest as it comes.
      const arrived = Math.min(this.#position?.offset ?? 0, headOffset);
      this.#caughtUp += Math.max(0, arrived - Math.max(from, this.#missedTo));
      this.#missedTo = headOffset;
    };
  }

  /** The gateway said that the log does not go on from here. What it skips is lost, though not silently. */
  reset(position: Position, trimmed: boolean): void {
    const stood = this.#position?.offset ?? position.offset;
    if (trimmed) this.#lost += Math.max(0, position.offset - stood);
    this.#resets++;
    this.#position = position;
    this.#missedTo = Math.min(this.#missedTo, position.offset);
  }

  get row(): LedgerRow {
    const offset = this.#position?.offset ?? 0;
    return {
      channel: this.channel,
      position: this.#position,
      received: this.#received,
      caughtUp: this.#caughtUp,
      lost: this.#lost,
      duplicated: this.#duplicated,
      resets: this.#resets,
      behind: Math.max(0, this.#missedTo - offset),
    };
  }
}
