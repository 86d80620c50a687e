import type { AckPosition, AckSummary } from './ack-log.js';
import { Ranges } from './ranges.js';

/**
 * What was wrong with what subscribers received. Everything should be 0, except `received`, `verified`, and what
 * subscribers were told of.
 */
export interface AuditCounts {
  received: number;
  /** Messages that were acknowledged and owed to a subscriber, but never received, without a reset that said so. */
  lost: number;
  /** Messages that were received again. */
  duplicated: number;
  /** Messages that were received after a later one. */
  reordered: number;
  /** Messages whose text is not the one that was published, by its checksum. */
  corrupted: number;
  /** Messages that were acknowledged at another position than they were received at. */
  misplaced: number;
  /** Frames that did not continue at the subscriber's position. */
  holes: number;
  /** Resets that subscribers were told. */
  resets: number;
  /** Messages that were acknowledged and never received, as a reset said. */
  skipped: number;
  /** Messages that were acknowledged and not received on live channels, which promise no more. */
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

/** The first message of a kind of fault, for somebody to look at. */
export interface Offender {
  readonly what: Offence;
  readonly channel: string;
  /** The subscriber, by its group and number. */
  readonly subscriber: string;
  readonly stream?: number;
  readonly n?: number;
  readonly epoch?: string | undefined;
  readonly offset?: number | undefined;
  /** When it was noticed, ms since the Unix epoch. */
  readonly at: number;
  readonly detail: string;
}

/** The numbers of one stream that one subscriber of one channel has received. */
class StreamReceipts {
  next = -1;
  offsetSum = 0;
  /** Numbers that were skipped over and not received since. Made when there is the first one. */
  missing: Ranges | undefined;
  /** Numbers that are missing, as a reset said. */
  skipped: Ranges | undefined;
  /** Numbers that were received after a later one. */
  late: Ranges | undefined;
  /** Whether the next hole is excused, because the subscriber was told of it. */
  isExcused = false;
}

/** The result of the audit of one stream. */
interface Closed {
  readonly lost: Ranges;
  /** How many are missing, as a reset said. */
  readonly skipped: number;
  readonly isMisplaced: boolean;
  /**
   * Messages that were received after a later one and were never acknowledged: a publisher that sends on without an
   * answer has no order.
   */
  readonly excused: number;
}

/**
 * What one subscriber of one channel received. It takes a few numbers for each stream, however many messages there
 * were: only holes take memory.
 */
export class Receipts {
  readonly channel: string;
  readonly isDurable: boolean;
  /** Whether the subscriber has been subscribed. */
  hasBegun = false;
  /** The offset at which the subscriber stood at first; 0 on live channels. */
  #startOffset = 0;
  /**
   * Whether the subscriber came before anything was published, so that everything is owed to it. Otherwise it is owed
   * what follows the first message that it received.
   */
  #isOwedAll = false;
  readonly #streams = new Map<number, StreamReceipts>();
  /** The stream that was used last. */
  #stream = -1;
  #current = new StreamReceipts();
  /**
   * How many repetitions a fork of the log explains: it lost messages that had been received, and was given them again.
   */
  #excusedRepetitions = 0;
  /** The lowest offset that was received in each epoch, where the epoch is known. */
  readonly #epochs = new Map<string, number>();
  #epoch: string | undefined;
  /**
   * Where resets put the subscriber in epochs in which it had not been. It was told that it is passed over everything
   * in such an epoch up to there.
   */
  readonly entered: AckPosition[] = [];
  #wasReset = false;
  #wasSkipped = false;

  constructor(channel: string, isDurable: boolean) {
    this.channel = channel;
    this.isDurable = isDurable;
  }

  /**
   * To be called when the subscriber is subscribed for the first time.
   * @param isEarly whether nothing was published before
   */
  begin(offset: number, isEarly: boolean): void {
    this.hasBegun = true;
    this.#startOffset = offset;
    this.#isOwedAll = this.isDurable ? offset === 0 : isEarly;
  }

  /** To be called before the messages of another epoch. */
  enters(epoch: string | undefined, offset: number): void {
    if (epoch === this.#epoch || epoch === undefined) return;
    this.#epoch = epoch;
    this.#epochs.set(epoch, Math.min(offset, this.#epochs.get(epoch) ?? offset));
  }

  /** The first position that was received in each epoch, as far as epochs are known. */
  get epochs(): AckPosition[] {
    return [...this.#epochs].map(([epoch, offset]) => ({ epoch, offset }));
  }

  /** @returns what is wrong with the message, if anything is */
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
   * To be called when the subscriber was told a reset from one position to another. If the log diverged, it has lost
   * what the subscriber received beyond the new position, which may come again. Nothing else is skipped then, except
   * what came before a position in {@link entered}.
   */
  reset(reason: string, from: AckPosition | undefined, to: AckPosition): void {
    this.#wasReset = true;
    this.#excusedRepetitions += Math.max(0, (from?.offset ?? 0) - to.offset);
    if (from && from.epoch !== to.epoch) this.entered.push(to);
    if (reason === 'diverged') return;
    this.#wasSkipped = true;
    for (const receipts of this.#streams.values()) receipts.isExcused = true;
  }

  /** Whether everything that was acknowledged of this stream was received or skipped over. */
  isUpTo(ack: AckSummary): boolean {
    const { stream, count, unacknowledged } = ack;
    const next = this.#streams.get(stream)?.next ?? this.#firstOwed(ack);
    if (next >= count) return true;
    return new Ranges([[next, count]]).without(new Ranges(unacknowledged)).size === 0;
  }

  /**
   * Compares a stream with what was acknowledged of it. A subscriber that left early is not owed the tail.
   * @returns what is missing
   */
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

  /** Whether anything was skipped over. If not, there is nothing to look at once the subscriber has left. */
  get hasHoles(): boolean {
    return [...this.#streams.values()].some(({ missing, skipped }) => missing || skipped);
  }

  /**
   * The first number that is owed of a stream of which nothing was received. A subscriber that came late is owed at least
   * the last message.
   */
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
