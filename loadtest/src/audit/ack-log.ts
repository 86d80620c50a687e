import { Ranges } from './ranges.js';

/** The position at which a message was acknowledged. */
export interface AckPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** What a publisher knows about one stream on one channel, for those who check what arrived. */
export interface AckSummary {
  readonly channel: string;
  readonly stream: number;
  /** Numbers 0 to `count` - 1 were published. */
  readonly count: number;
  /** Ranges of numbers that were not acknowledged. These messages may or may not be in the log. */
  readonly unacknowledged: readonly (readonly [from: number, to: number])[];
  /** The highest offset that was acknowledged; 0 if there is none, or on a live channel. */
  readonly lastOffset: number;
  /** Sum of all acknowledged offsets. */
  readonly offsetSum: number;
}

const CHUNK_BYTES = 64 * 1024;
/**
 * Begins an entry that does not fit into one byte: that of a message that was not acknowledged, or whose offset is far
 * from the one before.
 */
const ESCAPE = 255;
const BIAS = 100;

/**
 * The positions of all acknowledged messages of one stream. Each takes about one byte: the difference of its offset to
 * the one before. Messages may be settled in any order, and are written in the order of their numbers.
 */
export class AckLog {
  readonly channel: string;
  readonly stream: number;
  /** How many numbers were given out. */
  count = 0;
  lastOffset = 0;
  offsetSum = 0;
  readonly #unacknowledged = new Ranges();
  /**
   * Messages that were settled before one with a smaller number was, each with its position; `undefined`: it was not
   * acknowledged.
   */
  readonly #early = new Map<number, AckPosition | undefined>();
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  /** How many messages are written: those with the numbers 0 to `#written` - 1. */
  #written = 0;
  #previous = 0;
  readonly #epochs: { readonly from: number; readonly epoch: string }[] = [];

  constructor(channel: string, stream: number) {
    this.channel = channel;
    this.stream = stream;
  }

  /** Gives out the number of the next message. */
  next(): number {
    return this.count++;
  }

  acknowledge(n: number, position: AckPosition | undefined): void {
    if (position) {
      this.lastOffset = Math.max(this.lastOffset, position.offset);
      this.offsetSum += position.offset;
    }
    this.#settle(n, position ?? LIVE);
  }

  /** Settles a message that was refused, or of which nobody knows what became of it. */
  fail(n: number): void {
    this.#unacknowledged.add(n);
    this.#settle(n, undefined);
  }

  summary(): AckSummary {
    const unacknowledged = new Ranges(this.#unacknowledged.list);
    for (let n = this.#written; n < this.count; n++) {
      if (!this.#early.get(n)) unacknowledged.add(n);
    }
    const { channel, stream, count, lastOffset, offsetSum } = this;
    return { channel, stream, count, unacknowledged: unacknowledged.list, lastOffset, offsetSum };
  }

  /** The position at which message `n` was acknowledged; `undefined` if it was not acknowledged. */
  positionOf(n: number): AckPosition | undefined {
    if (n >= this.#written) return this.#early.get(n);
    let at = 0;
    let offset = 0;
    for (let i = 0; i <= n; i++) {
      const byte = this.#byte(at++);
      if (byte !== ESCAPE) {
        offset += byte - BIAS;
        if (i === n) return { offset, epoch: this.#epochOf(n) };
        continue;
      }
      let value = 0;
      for (let k = 0; k < 8; k++) value = value * 256 + this.#byte(at++);
      if (value === 0) {
        if (i === n) return undefined;
        continue;
      }
      offset = value - 1;
      if (i === n) return { offset, epoch: this.#epochOf(n) };
    }
    return undefined;
  }

  #settle(n: number, position: AckPosition | undefined): void {
    if (n !== this.#written) {
      this.#early.set(n, position);
      return;
    }
    this.#write(position);
    while (this.#early.has(this.#written)) {
      const early = this.#early.get(this.#written);
      this.#early.delete(this.#written);
      this.#write(early);
    }
  }

  #write(position: AckPosition | undefined): void {
    const n = this.#written++;
    if (!position) {
      this.#append(ESCAPE);
      for (let k = 0; k < 8; k++) this.#append(0);
      return;
    }
    if (this.#epochs.at(-1)?.epoch !== position.epoch) this.#epochs.push({ from: n, epoch: position.epoch });
    const difference = position.offset - this.#previous + BIAS;
    this.#previous = position.offset;
    if (difference >= 0 && difference < ESCAPE) {
      this.#append(difference);
      return;
    }
    this.#append(ESCAPE);
    const value = position.offset + 1;
    for (let k = 7; k >= 0; k--) this.#append(Math.floor(value / 256 ** k) % 256);
  }

  #epochOf(n: number): string {
    return this.#epochs.findLast(({ from }) => from <= n)?.epoch ?? '';
  }

  #append(byte: number): void {
    if (this.#length % CHUNK_BYTES === 0) this.#chunks.push(new Uint8Array(this.#length === 0 ? 256 : CHUNK_BYTES));
    let chunk = this.#chunks.at(-1) as Uint8Array;
    const index = this.#length % CHUNK_BYTES;
    if (index >= chunk.length) {
      const grown = new Uint8Array(Math.min(CHUNK_BYTES, chunk.length * 4));
      grown.set(chunk);
      this.#chunks[this.#chunks.length - 1] = grown;
      chunk = grown;
    }
    chunk[index] = byte;
    this.#length++;
  }

  #byte(at: number): number {
    return this.#chunks[Math.floor(at / CHUNK_BYTES)]?.[at % CHUNK_BYTES] ?? 0;
  }
}

const LIVE: AckPosition = { epoch: '', offset: 0 };
