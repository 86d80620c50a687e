import type { LineageEntry } from '../broker/broker.js';
import type { LogRecord } from '../broker/record.js';
import { hasEpoch, isBefore } from '../broker/resume.js';

interface HeldRecordsOptions {
  /** Most records that are held back. */
  readonly bufferRecords: number;
  /** Most bytes of the records that are held back. */
  readonly bufferBytes: number;
}

/**
 * The records that are pushed to a channel while it does not follow its pushes. If they are too many, only the newest
 * is kept. Until the log explains that one, records before it may be missing.
 */
export class HeldRecords {
  readonly #options: HeldRecordsOptions;
  #records: LogRecord[] = [];
  #bytes = 0;

  constructor(options: HeldRecordsOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  hold(record: LogRecord): void {
    const { bufferRecords, bufferBytes } = this.#options;
    let held = record;
    if (this.#records.length >= bufferRecords || this.#bytes >= bufferBytes) {
      for (const one of this.#records) if (isBefore(held, one)) held = one;
      this.forget();
    }
    this.#records.push(held);
    this.#bytes += held.size;
  }

  forget(): void {
    this.#records = [];
    this.#bytes = 0;
  }

  /** Whether one of the records is of an epoch that this log does not have. */
  isStrangeTo(lineage: readonly LineageEntry[]): boolean {
    return this.#records.some(({ epoch }) => !hasEpoch(lineage, epoch));
  }

  /**
   * Lets go of the records that are explained. It asks for each in the order in which they were pushed. Returns whether
   * none is left.
   */
  release(isExplained: (record: LogRecord) => boolean): boolean {
    const held = this.#records;
    this.forget();
    for (const record of held) if (!isExplained(record)) this.hold(record);
    return this.isEmpty;
  }
}
