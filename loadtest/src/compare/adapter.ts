import type { RawTarget } from '../generators/raw-connection.js';

/** A server under comparison, running. */
export interface Contender {
  readonly name: string;
  /** What stands behind the name: version, what is in the path. */
  readonly description: string;
  /** Processes whose CPU and memory count; none of a server that runs elsewhere. */
  readonly pids: readonly number[];
  /** How one subscriber of the one channel connects. */
  readonly subscriber: SubscriberProtocol;
  /** Publishes so many texts; resolves when they were handed over, acknowledged where the protocol says so. */
  publish(texts: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface SubscriberProtocol {
  readonly target: RawTarget;
  /** Sent when the socket is open. */
  readonly greeting: readonly (string | Uint8Array)[];
  /** What to answer to a message that is no delivery; `ready`: the subscription stands. */
  onText(text: string): { readonly reply?: string | Uint8Array; readonly ready?: boolean };
}

/** Begins every text that is published: deliveries are counted by it, whatever stands around it. */
export const MARKER = '~fanfare-load~';
