/**
 * File descriptors: every connection needs one. A process that has none left cannot even refuse: its
 * listening socket stays readable, and uWebSockets.js tries to accept for ever, with all of a core.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Logger } from './logger.js';

/**
 * How many descriptors are kept for Redis, files and everything else: an eighth of the limit, but no fewer than this.
 */
const MIN_RESERVE = 32;
const MAX_RESERVE = 256;
/** A shortage counts as over once no more than this share of the connections is there. */
const RELIEF = 0.9;

export interface Descriptors {
  /** How many descriptors the process may have open. */
  readonly limit: number;
  /** How many descriptors it has open. */
  readonly open: number;
  /** How many descriptors connections can take of the limit. */
  readonly connections: number;
}

/**
 * How many descriptors this process may open and has open now; `undefined` if the system does not say (only Linux
 * does).
 */
export function readDescriptors(): Descriptors | undefined {
  try {
    const [, text] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    if (text === undefined) return undefined;
    const limit = Number(text);
    const open = readdirSync('/proc/self/fd').length;
    return { limit, open, connections: Math.max(1, limit - open - reserveOf(limit / 8)) };
  } catch {
    return undefined;
  }
}

/** How large the limit has to be for so many connections. */
export function limitFor(connections: number, { open }: Descriptors): number {
  const used = connections + open;
  return used + reserveOf(used / 7);
}

function reserveOf(share: number): number {
  return Math.min(MAX_RESERVE, Math.max(MIN_RESERVE, Math.floor(share)));
}

/** Says in the log once that connections are refused for lack of descriptors, and once that it is over. */
export class ShortageLog {
  #refused = 0;
  readonly #limit: number;
  readonly #connections: number;
  readonly #logger: Pick<Logger, 'error' | 'info'>;

  constructor({ limit, connections }: Descriptors, logger: Pick<Logger, 'error' | 'info'>) {
    this.#limit = limit;
    this.#connections = connections;
    this.#logger = logger;
  }

  refused(): void {
    if (++this.#refused > 1) return;
    this.#logger.error(
      { limit: this.#limit, connections: this.#connections },
      'connections are refused: the process may not open more files (ulimit -n)',
    );
  }

  /** To be called now and then with how many connections there are. */
  observe(open: number): void {
    if (this.#refused === 0 || open > RELIEF * this.#connections) return;
    this.#logger.info({ refused: this.#refused }, 'connections are taken again');
    this.#refused = 0;
  }
}
