import type { LogStream } from '../observability/log-stream.js';

/** What a command of the `fanfare` program is, and what it gets of the world. */
export interface Command {
  readonly name: string;
  /** Arguments and flags, for the first line of its help: `<channel> <json> [flags]`. */
  readonly usage: string;
  /** One line. */
  readonly about: string;
  /** What stands below in its help. */
  readonly details: string;
  /**
   * @param argv what follows the name, without `--help`.
   * @throws {UsageError} @throws {ConfigError} exit 2; anything else: exit 1.
   */
  run(argv: readonly string[], io: Io): Promise<ExitCode>;
}

/** 0: done. 1: failed. 2: used or configured wrongly. */
export type ExitCode = 0 | 1 | 2;

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** What was asked for. */
  out(text: string): void;
  err(text: string): void;
  /** Where `serve` logs; absent: to `out`. */
  openLog?(): LogStream;
  /** Resolves with the name of the signal that asks the program to stop. */
  untilStopped(): Promise<string>;
}

/** The command was called in a way it does not know. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
