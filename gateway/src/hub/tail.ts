import type { LineageEntry } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { epochAt } from '../broker/resume.js';
import { Fifo } from '../fifo.js';
import { Entry } from './entry.js';

/**
 * The last entries of a channel, with their frames. Clients that missed little get them from here, without a read of
 * the log.
 */
export class Tail {
  readonly #channel: string;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  /** The position right before the first entry. */
  #before: LogPosition;
  readonly #entries = new Fifo<Entry>();
  #bytes = 0;

  constructor(channel: string, maxEntries: number, maxBytes: number, at: LogPosition) {
    this.#channel = channel;
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#before = at;
  }

  /** Empties the tail. The next entry follows the position `at`. */
  reset(at: LogPosition): void {
    this.#before = at;
    this.#entries.drop(this.#entries.length);
    this.#bytes = 0;
  }

  /** Fills the tail with the last entries of the log, as far as they lead up to the head without a hole. */
  fill(records: readonly LogRecord[], lineage: readonly LineageEntry[], head: LogPosition): void {
    const first = records[0];
    const offset = first ? first.offset - 1 : head.offset;
    this.reset(first ? { epoch: epochAt(lineage, offset), offset } : head);
    for (const record of records) {
      const expected = this.#before.offset + this.#entries.length + 1;
      if (record.offset !== expected) this.reset({ epoch: record.epoch, offset: record.offset - 1 });
      this.push(record);
    }
    if (records.at(-1)?.offset !== head.offset) this.reset(head);
  }

  push(record: LogRecord): Entry {
    const entry = new Entry(this.#channel, record, true);
    this.#entries.push(entry);
    this.#bytes += record.size;
    while (this.#entries.length > this.#maxEntries || this.#bytes > this.#maxBytes) {
      const { record: oldest } = this.#entries.shift() as Entry;
      this.#before = oldest;
      this.#bytes -= oldest.size;
      if (this.#entries.isEmpty) break;
    }
    return entry;
  }

  /**
   * The entry after this position. The tail covers the position only if it holds the entry at exactly that epoch and
   * offset, or starts right after that pair; offsets alone prove nothing. `undefined`: the position is not covered, or
   * nothing follows it.
   */
  after(position: LogPosition): Entry | undefined {
    const index = position.offset - this.#before.offset;
    if (index < 0) return undefined;
    const at = index === 0 ? this.#before : this.#at(index - 1);
    return at?.epoch === position.epoch && at.offset === position.offset ? this.#entries.at(index) : undefined;
  }

  /**
   * The position of a client that wants everything from this time on, ms since the Unix epoch; `undefined` if that may
   * lie before the tail.
   */
  since(timeMs: number): LogPosition | undefined {
    if (this.#before.offset > 0 && !((this.#at(0)?.time ?? Number.POSITIVE_INFINITY) < timeMs)) return undefined;
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#at(middle) as LogRecord).time < timeMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.#before : this.#at(low - 1);
  }

  /** The position of a client that wants everything after this offset; `undefined` if the tail does not cover it. */
  positionAt(offset: number): LogPosition | undefined {
    return offset === this.#before.offset ? this.#before : this.#at(offset - this.#before.offset - 1);
  }

  #at(index: number): LogRecord | undefined {
    return index < 0 ? undefined : this.#entries.at(index)?.record;
  }
}
