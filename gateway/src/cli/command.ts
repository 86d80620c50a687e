import type { LogStream } from '../observability/log-stream.js';

/** A command of the `fanfare` program. */
export interface Command {
  readonly name: string;
  /** Arguments and flags, for the first line of its help: `<channel> <json> [flags]`. */
  readonly usage: string;
  /** What the command does, in one line. */
  readonly about: string;
  /** The rest of its help. */
  readonly details: string;
  /**
   * @param argv the arguments that follow the name, without `--help`
   * @throws {UsageError} @throws {ConfigError} exit 2; anything else: exit 1.
   */
  run(argv: readonly string[], io: Io): Promise<ExitCode>;
}

/** Exit code of the program. 0: done. 1: failed. 2: used or configured wrongly. */
export type ExitCode = 0 | 1 | 2;

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Writes results, which is what was asked for. */
  out(text: string): void;
  err(text: string): void;
  /** Opens the stream to which `serve` logs. Absent: it logs to `out`. */
  openLog?(): LogStream;
  /** Resolves with the name of the signal that asks the program to stop. */
  untilStopped(): Promise<string>;
}

/** The command was called in a way that it does not know. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
