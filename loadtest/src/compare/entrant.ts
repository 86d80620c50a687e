import type { Subscribe } from '../generators/reader.js';
import type { IntakeKind, Subject } from '../servers/contender.js';

/** A server under comparison that runs. */
export interface Entrant {
  readonly name: string;
  /** What is behind the name: the version, and what is in the path of a message. */
  readonly description: string;
  /** The processes whose CPU and memory count. There are none if the server runs elsewhere. */
  readonly pids: readonly number[];
  /** How one subscriber of the one channel connects. What it receives is counted by markers. */
  readonly subscribe: Subscribe;
  /** How it takes messages one by one; `undefined` if the server runs elsewhere. */
  readonly singly?: Singly;
  /** Publishes texts. Resolves when they were handed over, or acknowledged if the protocol has that. */
  publish(texts: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** A server that is given one message after the other, each in a frame or command of its own over one connection. */
export interface Singly {
  readonly subject: Subject;
  readonly intake: IntakeKind;
}
