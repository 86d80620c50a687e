import { setTimeout as sleep } from 'node:timers/promises';
import { Reader, type ReaderEvents, type Subscribe } from './reader.js';

/** One of so many readers reads its messages, unless it is said otherwise. The others count them. */
const VERIFIED_ONE_OF = 125;
/** How many handshakes are under way at once. */
const CONCURRENT_CONNECTS = 100;
const CONNECT_DEADLINE_MS = 30_000;

/** The subscribers of one server, and what they have received together. */
export class ReaderPool implements ReaderEvents {
  readonly readers: Reader[] = [];
  /** How many messages all readers together have received in full. */
  received = 0;
  /** In how many reads they have received them. */
  reads = 0;
  /** The first thing that must not happen, if one did. */
  fault: string | undefined;
  /** Called for every reader that received messages. */
  onProgress: (reader: Reader, count: number) => void = () => {};
  readonly #verifiedOneOf: number;
  #isOpen = true;

  /** @param verifiedOneOf one of so many readers reads its messages */
  constructor(verifiedOneOf = VERIFIED_ONE_OF) {
    this.#verifiedOneOf = verifiedOneOf;
  }

  /** Opens one more reader for each entry. Rejects if one is not subscribed in time. */
  async open(subscribes: readonly Subscribe[]): Promise<void> {
    const deadline = Date.now() + CONNECT_DEADLINE_MS;
    let opened = 0;
    let pending = 0;
    const onReady = () => {
      pending--;
    };
    while (opened < subscribes.length || pending > 0) {
      while (opened < subscribes.length && pending < CONCURRENT_CONNECTS) {
        const verifies = this.readers.length % this.#verifiedOneOf === 0;
        pending++;
        this.readers.push(new Reader(subscribes[opened++] as Subscribe, verifies, this, onReady));
      }
      await sleep(1);
      this.check();
      if (Date.now() > deadline)
        throw new Error(`${pending} of ${subscribes.length} subscribers were not accepted in time`);
    }
  }

  onMessages(reader: Reader, count: number): void {
    this.received += count;
    this.reads++;
    this.onProgress(reader, count);
  }

  onFault(_reader: Reader, fault: string): void {
    if (this.#isOpen) this.fault ??= fault;
  }

  /** Starts to count from 0 again. */
  reset(): void {
    this.received = 0;
    this.reads = 0;
    for (const reader of this.readers) reader.reset();
  }

  /** @throws if anything went wrong, or if not every reader has received `messages` of them. */
  check(messages?: number): void {
    if (this.fault) throw new Error(`a subscriber reports: ${this.fault}`);
    if (messages === undefined) return;
    const wrong = this.readers.filter((reader) => reader.messages !== messages);
    if (wrong.length > 0) {
      throw new Error(`${wrong.length} subscribers received ${wrong[0]?.messages} messages instead of ${messages}`);
    }
  }

  close(): void {
    this.#isOpen = false;
    for (const reader of this.readers) reader.destroy();
    this.readers.length = 0;
  }
}
