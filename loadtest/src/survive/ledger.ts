/** Message `n` of a run, from 0 on: its number and a filler whose length tells whether it came whole. */
export interface Payload {
  readonly n: number;
  readonly filler: string;
}

/** Fillers of several lengths, so that frames of every header size occur; they average `meanBytes`. */
const LENGTHS = [0, 0.1, 0.4, 1, 3.5];

export function payloadOf(n: number, meanBytes: number): Payload {
  return { n, filler: '.'.repeat(fillerLength(n, meanBytes)) };
}

function fillerLength(n: number, meanBytes: number): number {
  return Math.round(meanBytes * (LENGTHS[n % LENGTHS.length] as number));
}

/** What one client received, or all of them together. Everything but `received` should be 0. */
export interface Balance {
  /** Different messages that came. */
  readonly received: number;
  /** Acknowledged messages that never came, and no reset told of. */
  readonly lost: number;
  /** Acknowledged messages that never came, as a reset told. */
  readonly skipped: number;
  /** Messages that came again. */
  readonly duplicated: number;
  /** Messages that came after a later one. */
  readonly reordered: number;
  /** Messages that came damaged, or at another position than the acknowledged one. */
  readonly altered: number;
}

/** Counts of the same names, added up. */
export function addCounts<Counts extends object>(a: Counts, b: Counts): Counts {
  const sum = { ...a } as Record<string, number>;
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + (value as number);
  return sum as Counts;
}

/** What one client received, held against what was acknowledged. */
export class Receipts {
  readonly #meanBytes: number;
  /** Offset by message; 0: did not come. */
  readonly #offsets: Uint32Array;
  /** Offsets that resets told of: after the first, up to the second. */
  readonly #resets: (readonly [after: number, upTo: number])[] = [];
  #lastOffset = 0;
  #received = 0;
  #duplicated = 0;
  #reordered = 0;
  #altered = 0;

  /** For messages 0 to `capacity` - 1. */
  constructor(capacity: number, meanBytes: number) {
    this.#offsets = new Uint32Array(capacity);
    this.#meanBytes = meanBytes;
  }

  /** Offset of the last message. */
  get lastOffset(): number {
    return this.#lastOffset;
  }

  take({ n, filler }: Payload, offset: number): void {
    if (this.#offsets[n] !== 0) {
      this.#duplicated++;
      return;
    }
    this.#offsets[n] = offset;
    this.#received++;
    if (offset < this.#lastOffset) this.#reordered++;
    else this.#lastOffset = offset;
    if (filler.length !== fillerLength(n, this.#meanBytes)) this.#altered++;
  }

  reset(after: number, upTo: number): void {
    this.#resets.push([after, upTo]);
  }

  /** `acknowledged`: offset by message; 0: was not acknowledged. */
  balance(acknowledged: Uint32Array): Balance {
    let lost = 0;
    let skipped = 0;
    let altered = this.#altered;
    for (const [n, offset] of acknowledged.entries()) {
      if (offset === 0 || this.#offsets[n] === offset) continue;
      if (this.#offsets[n] !== 0) altered++;
      else if (this.#resets.some(([after, upTo]) => after < offset && offset <= upTo)) skipped++;
      else lost++;
    }
    return {
      received: this.#received,
      lost,
      skipped,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      altered,
    };
  }
}
