import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Subscribe } from './reader.js';

/** Messages to the thread of `bulk-readers.worker.ts`; each is answered by a {@link BulkAnswer}. */
export type BulkRequest =
  /** Opens one reader for each entry. */
  | { readonly do: 'open'; readonly subscribes: readonly Subscribe[] }
  | { readonly do: 'reset' }
  | { readonly do: 'check'; readonly messages: number };

export interface BulkAnswer {
  readonly error?: string;
}

export interface BulkData {
  /** Holds one element: the number of messages received in full by all readers together. */
  readonly received: Float64Array;
  /**
   * Holds one element: 1 while the thread is to read nothing, else 0. Whoever changes it wakes the thread by
   * `Atomics.notify`.
   */
  readonly isAsleep: Int32Array;
}

/**
 * Readers in a thread of their own, which reads in strokes: between two strokes it naps, and what arrives meanwhile
 * waits in the kernel. So each read takes the messages of several bursts, and the subscribers cost less than the server
 * that is measured.
 */
export class BulkReaders {
  readonly #worker: Worker;
  readonly #data: BulkData = {
    received: new Float64Array(new SharedArrayBuffer(8)),
    isAsleep: new Int32Array(new SharedArrayBuffer(4)),
  };

  constructor() {
    this.#worker = new Worker(new URL('./bulk-readers.worker.js', import.meta.url), { workerData: this.#data });
  }

  open(subscribes: readonly Subscribe[]): Promise<void> {
    return this.#ask({ do: 'open', subscribes });
  }

  /** Starts to count from 0 again. */
  reset(): Promise<void> {
    return this.#ask({ do: 'reset' });
  }

  /** Reads nothing until {@link wake} is called. It is for runs whose messages fit into the receive buffers. */
  sleep(): void {
    this.#data.isAsleep[0] = 1;
  }

  wake(): void {
    this.#data.isAsleep[0] = 0;
    Atomics.notify(this.#data.isAsleep, 0);
  }

  /** Resolves once `total` messages have arrived, or after `deadlineMs`. */
  async waitFor(total: number, deadlineMs: number): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while ((this.#data.received[0] as number) < total && Date.now() < deadline) await sleep(2);
  }

  /** Rejects if anything went wrong, or if not every reader has received `messages` of them. */
  check(messages: number): Promise<void> {
    return this.#ask({ do: 'check', messages });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask(request: BulkRequest): Promise<void> {
    this.#worker.postMessage(request);
    const [answer] = (await once(this.#worker, 'message')) as [BulkAnswer];
    if (answer.error !== undefined) throw new Error(answer.error);
  }
}
