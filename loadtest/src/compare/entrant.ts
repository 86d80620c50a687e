import type { Subscribe } from '../generators/reader.js';

/** A server under comparison, running. */
export interface Entrant {
  readonly name: string;
  /** What stands behind the name: version, what is in the path. */
  readonly description: string;
  /** Processes whose CPU and memory count; none of a server that runs elsewhere. */
  readonly pids: readonly number[];
  /** How one subscriber of the one channel connects; what it receives is counted by markers. */
  readonly subscribe: Subscribe;
  /** Publishes so many texts; resolves when they were handed over, acknowledged where the protocol says so. */
  publish(texts: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}
