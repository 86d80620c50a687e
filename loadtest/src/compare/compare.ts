import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../clock.js';
import { MARKER } from '../generators/reader.js';
import { ReaderPool } from '../generators/reader-pool.js';
import { createHistogram } from '../report/histogram.js';
import { cpuMsOf, residentBytesOf } from '../servers/server-process.js';
import type { Entrant } from './entrant.js';

export interface CompareOptions {
  readonly subscribers: number;
  readonly rounds: number;
  readonly roundMs: number;
  /**
   * How many messages are published at once. Several such bursts are under way; another one follows when every
   * subscriber has received one.
   */
  readonly burst: number;
  /** Size of a message, bytes. */
  readonly size: number;
}

/** What one entrant did in one round. */
export interface Round {
  readonly deliveriesPerSecond: number;
  /** Median time from before a burst left until a subscriber had all of it, ms. */
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the server, as a share of a core; NaN if the server runs elsewhere. */
  readonly cpu: number;
  /** CPU time of this process, as a share of a core. If it is near 1, the figures are those of this process. */
  readonly generatorCpu: number;
}

const BURST_DEADLINE_MS = 15_000;
const WARM_MS = 500;
/** How many bursts are under way at a time, so that no server waits for a publisher. */
export const IN_FLIGHT = 4;

/** Subscribers of one entrant, kept over all rounds, and what they count. */
export class Stand {
  readonly entrant: Entrant;
  readonly #pool = new ReaderPool();
  /** Memory of the server for each connection, bytes; NaN if the server runs elsewhere. */
  bytesPerConnection = Number.NaN;

  constructor(entrant: Entrant) {
    this.entrant = entrant;
  }

  /** Opens the subscribers. Rejects unless all are subscribed in time. */
  async open(subscribers: number): Promise<void> {
    const before = residentBytes(this.entrant.pids);
    await this.#pool.open(Array.from({ length: subscribers }, () => this.entrant.subscribe)).catch((error: Error) => {
      throw new Error(`${this.entrant.name}: ${error.message}`);
    });
    await sleep(500);
    this.bytesPerConnection = Math.max(0, residentBytes(this.entrant.pids) - before) / subscribers;
  }

  /** Publishes bursts for so long. Rejects if a message is missing. */
  async round({ burst, size, roundMs }: Pick<CompareOptions, 'burst' | 'size' | 'roundMs'>): Promise<Round> {
    const histogram = createHistogram();
    const texts = Array.from({ length: burst }, () => MARKER.padEnd(size, 'x'));
    const cpuBefore = cpuMs(this.entrant.pids);
    const ownBefore = process.cpuUsage();
    const each = burst * this.#pool.readers.length;
    const beganAt = performance.now();
    const begunUs: number[] = [];
    let settled = 0;
    this.#pool.reset();
    await new Promise<void>((resolve, reject) => {
      const missing = () =>
        new Error(
          `${this.entrant.name}: ${this.#pool.received} of ${begunUs.length * each} deliveries came; ${this.#pool.fault ?? ''}`,
        );
      const deadline = setTimeout(() => reject(missing()), roundMs + BURST_DEADLINE_MS);
      const launch = () => {
        begunUs.push(nowUs());
        this.entrant.publish(texts).catch(reject);
      };
      this.#pool.onProgress = () => {
        for (; this.#pool.received >= (settled + 1) * each; settled++) {
          histogram.recordValue(Math.max(1, Math.round(nowUs() - (begunUs[settled] as number))));
          if (performance.now() - beganAt < roundMs) launch();
        }
        if (settled < begunUs.length) return;
        clearTimeout(deadline);
        resolve();
      };
      for (let i = 0; i < IN_FLIGHT; i++) launch();
    }).finally(() => {
      this.#pool.onProgress = () => {};
    });
    const elapsedMs = performance.now() - beganAt;
    const own = process.cpuUsage(ownBefore);
    return {
      deliveriesPerSecond: (settled * each * 1000) / elapsedMs,
      p50: histogram.getValueAtPercentile(50) / 1000,
      p99: histogram.getValueAtPercentile(99) / 1000,
      cpu: this.entrant.pids.length === 0 ? Number.NaN : (cpuMs(this.entrant.pids) - cpuBefore) / elapsedMs,
      generatorCpu: (own.user + own.system) / 1000 / elapsedMs,
    };
  }

  warm(options: CompareOptions): Promise<Round> {
    return this.round({ ...options, roundMs: WARM_MS });
  }

  async close(): Promise<void> {
    this.#pool.close();
    await this.entrant.stop();
  }
}

function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
}

function residentBytes(pids: readonly number[]): number {
  return pids.length === 0 ? Number.NaN : pids.reduce((sum, pid) => sum + residentBytesOf(pid), 0);
}
