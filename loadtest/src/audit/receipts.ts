import type { AckPosition, AckSummary } from './ack-log.js';
import { Ranges } from './ranges.js';

/** What was wrong with what subscribers received; everything but `received` and what was told should be 0. */
export interface AuditCounts {
  received: number;
  /** Acknowledged, owed to a subscriber, never received, and no reset told of it. */
  lost: number;
  /** Received again. */
  duplicated: number;
  /** Received after a later one. */
  reordered: number;
  /** Another text than was published, by its checksum. */
  corrupted: number;
  /** Acknowledged at another position than it was received at. */
  misplaced: number;
  /** Frames that did not continue at the subscriber's position. */
  holes: number;
  /** Resets told. */
  resets: number;
  /** Acknowledged and never received, as a reset told. */
  skipped: number;
  /** On live channels, which promise no more: acknowledged and not received. */
  missed: number;
  /** Messages whose checksum was computed. */
  verified: number;
}

export function noCounts(): AuditCounts {
  return {
    received: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    misplaced: 0,
    holes: 0,
    resets: 0,
    skipped: 0,
    missed: 0,
    verified: 0,
  };
}

export function addCounts<Counts extends object>(to: Counts, from: Readonly<Counts>): Counts {
  const sums = to as Record<string, number>;
  for (const [name, value] of Object.entries(from)) sums[name] = (sums[name] ?? 0) + (value as number);
  return to;
}

export type Offence = 'lost' | 'duplicated' | 'reordered' | 'corrupted' | 'misplaced' | 'holes' | 'resets';

/** The first of its kind, to be looked at. */
export interface Offender {
  readonly what: Offence;
  readonly channel: string;
  /** Which subscriber: group and number. */
  readonly subscriber: string;
  readonly stream?: number;
  readonly n?: number;
  readonly epoch?: string | undefined;
  readonly offset?: number | undefined;
  /** Milliseconds of the Unix clock. */
  readonly at: number;
  readonly detail: string;
}

/** Numbers of one stream that one subscriber of one channel has received. */
class StreamReceipts {
  next = -1;
  offsetSum = 0;
  /** Skipped over, and not received since. Made when the first one is. */
  missing: Ranges | undefined;
  /** Missing, as a reset told. */
  skipped: Ranges | undefined;
  /** Received after a later one. */
  late: Ranges | undefined;
  /** The next hole was told of. */
  isExcused = false;
}

/** What the books of one stream say. */
interface Closed {
  readonly lost: Ranges;
  /** Missing, as a reset told. */
  readonly skipped: number;
  readonly isMisplaced: boolean;
  /** Received after a later one, and never acknowledged: whoever sends on without an answer has no order. */
  readonly excused: number;
}

/**
 * What one subscriber of one channel received. A few numbers for each stream, however many messages:
 * only holes take memory.
 */
export class Receipts {
  readonly channel: string;
  readonly isDurable: boolean;
  /** Whether the subscriber was subscribed once. */
  hasBegun = false;
  /** Where the subscriber stood at first; 0 on live channels. */
  #startOffset = 0;
  /** Whether it came before anything was published: everything is owed to it. Else what follows the first it received. */
  #isOwedAll = false;
  readonly #streams = new Map<number, StreamReceipts>();
  /** The one that was used last. */
  #stream = -1;
  #current = new StreamReceipts();
  /** Repetitions that a fork of the log explains: it lost what had been received, and was given it again. */
  #excusedRepetitions = 0;
  /** Lowest offset that it received in each epoch, where that is told. */
  readonly #epochs = new Map<string, number>();
  #epoch: string | undefined;
  #wasReset = false;
  #wasSkipped = false;

  constructor(channel: string, isDurable: boolean) {
    this.channel = channel;
    this.isDurable = isDurable;
  }

  /** It is subscribed for the first time. @param isEarly before anything was published */
  begin(offset: number, isEarly: boolean): void {
    this.hasBegun = true;
    this.#startOffset = offset;
    this.#isOwedAll = this.isDurable ? offset === 0 : isEarly;
  }

  /** What is taken next is of this epoch. */
  enters(epoch: string | undefined, offset: number): void {
    if (epoch === this.#epoch || epoch === undefined) return;
    this.#epoch = epoch;
    this.#epochs.set(epoch, Math.min(offset, this.#epochs.get(epoch) ?? offset));
  }

  /** The first that it received of each epoch, as far as that was told. */
  get epochs(): AckPosition[] {
    return [...this.#epochs].map(([epoch, offset]) => ({ epoch, offset }));
  }

  /** @returns what is wrong with it, if anything is. */
  take(stream: number, n: number, offset: number): 'duplicated' | 'reordered' | undefined {
    if (stream !== this.#stream) {
      this.#stream = stream;
      this.#current = this.#streams.get(stream) ?? this.#begin(stream, n);
    }
    const receipts = this.#current;
    receipts.offsetSum += offset;
    if (n === receipts.next) {
      receipts.next = n + 1;
      return undefined;
    }
    if (n > receipts.next) {
      if (receipts.isExcused) receipts.skipped = withRange(receipts.skipped, receipts.next, n);
      else receipts.missing = withRange(receipts.missing, receipts.next, n);
      receipts.isExcused = false;
      receipts.next = n + 1;
      return undefined;
    }
    if (receipts.missing?.remove(n) || receipts.skipped?.remove(n)) {
      receipts.late = withRange(receipts.late, n, n + 1);
      return 'reordered';
    }
    if (this.#excusedRepetitions > 0) {
      this.#excusedRepetitions--;
      return undefined;
    }
    return 'duplicated';
  }

  /**
   * A reset was told. @param forked entries that had been received and that the log lost, if it diverged: nothing is
   * skipped then, for the log goes on where the subscriber stands
   */
  reset(reason: string, forked: number): void {
    this.#wasReset = true;
    this.#excusedRepetitions += forked;
    if (reason === 'diverged') return;
    this.#wasSkipped = true;
    for (const receipts of this.#streams.values()) receipts.isExcused = true;
  }

  /** Whether everything acknowledged of this stream was received, or skipped over. */
  isUpTo(ack: AckSummary): boolean {
    const { stream, count, unacknowledged } = ack;
    const next = this.#streams.get(stream)?.next ?? this.#firstOwed(ack);
    if (next >= count) return true;
    return new Ranges([[next, count]]).without(new Ranges(unacknowledged)).size === 0;
  }

  /** Holds a stream against what was acknowledged of it; who left early is not owed the tail. @returns what is missing */
  close(ack: AckSummary, isOwedTail = true): Closed {
    const unacknowledged = new Ranges(ack.unacknowledged);
    const receipts = this.#streams.get(ack.stream);
    const missing = new Ranges(receipts?.missing?.list);
    const told = new Ranges(receipts?.skipped?.list);
    const tail = [isOwedTail ? (receipts?.next ?? this.#firstOwed(ack)) : ack.count, ack.count] as const;
    if (receipts ? receipts.isExcused : this.#wasSkipped) told.add(...tail);
    else missing.add(...tail);
    const lost = missing.without(unacknowledged);
    const skipped = told.without(unacknowledged).size;
    const isWhole = receipts?.next === ack.count && lost.size + skipped + ack.unacknowledged.length === 0;
    const isComparable = isWhole && this.isDurable && this.#isOwedAll && !this.#wasReset;
    const isMisplaced = isComparable && receipts.offsetSum !== ack.offsetSum;
    const late = new Ranges(receipts?.late?.list);
    return { lost, skipped, isMisplaced, excused: late.size - late.without(unacknowledged).size };
  }

  /** Of a stream of which nothing was received. Who came late is known to be owed the last at least. */
  /** Whether it was passed over anything: else there is nothing to look at once it has left. */
  get hasHoles(): boolean {
    return [...this.#streams.values()].some(({ missing, skipped }) => missing || skipped);
  }

  #firstOwed({ count, lastOffset }: AckSummary): number {
    if (this.#isOwedAll) return 0;
    return this.isDurable && lastOffset > this.#startOffset ? Math.max(0, count - 1) : count;
  }

  #begin(stream: number, n: number): StreamReceipts {
    const receipts = new StreamReceipts();
    receipts.next = this.#isOwedAll ? 0 : n;
    this.#streams.set(stream, receipts);
    return receipts;
  }
}

function withRange(ranges: Ranges | undefined, from: number, to: number): Ranges {
  const grown = ranges ?? new Ranges();
  grown.add(from, to);
  return grown;
}
