import type { LineageEntry, LogPage, ReadRange } from '../broker.js';
import type { LogPosition, LogRecord, NewMessage } from '../record.js';
import { isBefore } from '../resume.js';

/**
 * Part of `historySize` by which a log may exceed it before it is trimmed: trimming entries one by one would cost more.
 */
const TRIM_SLACK = 0.25;
/** Least number of epochs that stay in the lineage, even if the log holds no entry of them any more. */
const MIN_LINEAGE = 16;

/** The log of one durable channel: entries, head, lineage. Offsets are contiguous, also across epochs. */
export class ChannelLog {
  #records: LogRecord[] = [];
  #head: LogPosition;
  #lineage: readonly LineageEntry[] = [];
  #lastTimeMs = 0;

  constructor(epoch: number) {
    this.#head = { epoch, offset: 0 };
    this.beginEpoch(epoch, 0);
  }

  get head(): LogPosition {
    return this.#head;
  }

  get lineage(): readonly LineageEntry[] {
    return this.#lineage;
  }

  /**
   * Begins an epoch: the next entries are of it. Entries after `baseOffset` are lost, and so are epochs that began
   * there.
   */
  beginEpoch(epoch: number, baseOffset: number): void {
    const begins = (one: LineageEntry) => one.baseOffset < baseOffset || one.baseOffset === 0;
    const known = baseOffset < this.#head.offset ? this.#lineage.filter(begins) : this.#lineage;
    this.#records.length = this.#indexAfter(baseOffset);
    const lineage = [...known, { epoch, baseOffset }];
    const oldest = this.#records[0]?.epoch ?? Number.POSITIVE_INFINITY;
    const isNeeded = (one: LineageEntry | undefined) => one === undefined || one.epoch >= oldest;
    // The epoch before that of the oldest entry may end right at that entry.
    let from = 0;
    while (lineage.length - from > MIN_LINEAGE && !isNeeded(lineage[from + 1])) from++;
    this.#lineage = lineage.slice(from);
    this.#head = { epoch, offset: baseOffset };
  }

  /**
   * Appends a message. Times never go backwards: if `nowMs` is earlier than the time of the last entry, that time is
   * taken.
   */
  append(message: NewMessage, nowMs: number, sizeBytes: number, historySize: number): LogRecord {
    this.#lastTimeMs = Math.max(this.#lastTimeMs, nowMs);
    const record: LogRecord = {
      epoch: this.#head.epoch,
      offset: this.#head.offset + 1,
      time: this.#lastTimeMs,
      user: message.user,
      key: message.key,
      tags: message.tags,
      extensions: message.extensions,
      payload: message.payload,
      size: sizeBytes,
    };
    this.#head = { epoch: record.epoch, offset: record.offset };
    this.#records.push(record);
    const surplus = this.#records.length - historySize;
    if (surplus > historySize * TRIM_SLACK) this.#records.splice(0, surplus);
    return record;
  }

  /** Drops the entries up to and including this offset. Head and lineage stay. */
  trim(toOffset: number): void {
    this.#records.splice(0, this.#indexAfter(toOffset));
  }

  read(range: ReadRange): LogPage {
    const [start, end, more] = this.#select(range);
    return { head: this.#head, lineage: this.#lineage, entries: this.#records.slice(start, end), more };
  }

  /**
   * The index range of the entries of a page, and whether there are entries beyond it in the direction of the range.
   */
  #select(range: ReadRange): [start: number, end: number, more: boolean] {
    const { limit, maxBytes = Number.POSITIVE_INFINITY } = range;
    const records = this.#records;
    const backwards = 'before' in range || 'last' in range;
    let start: number;
    if ('after' in range) start = this.#firstIndex((record) => isBefore(range.after, record));
    else if ('before' in range) start = this.#firstIndex((record) => !isBefore(record, range.before));
    else if ('last' in range) start = records.length;
    else start = this.#firstIndex((record) => record.time >= range.sinceTime);
    let end = start;
    let bytes = 0;
    while (end - start < limit && (backwards ? start > 0 : end < records.length)) {
      bytes += (records[backwards ? start - 1 : end] as LogRecord).size;
      if (bytes > maxBytes && end > start) break;
      if (backwards) start--;
      else end++;
    }
    return [start, end, backwards ? start > 0 : end < records.length];
  }

  #indexAfter(offset: number): number {
    return this.#firstIndex((record) => record.offset > offset);
  }

  /** Index of the first entry for which `matches` is true. It has to be true for all entries after that one too. */
  #firstIndex(matches: (record: LogRecord) => boolean): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (matches(this.#records[middle] as LogRecord)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
