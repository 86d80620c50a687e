/** What a reader of a channel wrote down, against the log of the channel. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Position, ResetReason } from '../../src/index.js';

/** A message by its place and by what was published: the number `n` of a publisher. */
export interface Entry extends Position {
  readonly by: string;
  readonly n: number;
}

/** Lines of the reader program. */
export type Line =
  | ({ readonly kind: 'message' | 'published' } & Entry)
  | ({ readonly kind: 'start' } & Position)
  | ({ readonly kind: 'reset'; readonly reason: ResetReason } & Position)
  | { readonly kind: 'state'; readonly state: string; readonly reason?: string }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  | { readonly kind: 'token' | 'lagged' };

/** How a reader's books deviate from the log. */
export interface Account {
  /** In the log behind its start, and never given to it. */
  readonly lost: number;
  readonly duplicated: number;
  /** Given after a later one. */
  readonly reordered: number;
  /** Not what the log holds at that place. */
  readonly wrong: number;
  /** Acknowledged to it as a publisher, and not once in the log. */
  readonly misstored: number;
  /** Told to load anew, because of. */
  readonly resets: readonly ResetReason[];
}

/** Nothing lost, nothing twice, everything in order, and nobody was told anything. */
export const EXACT: Account = { lost: 0, duplicated: 0, reordered: 0, wrong: 0, misstored: 0, resets: [] };

/** What is written down in a file, read on from where it was read up to. */
export class Journal {
  readonly #path: string;
  readonly #lines: Line[] = [];
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** All lines until now. */
  get lines(): readonly Line[] {
    const news = existsSync(this.#path) ? readFrom(this.#path, this.#bytes) : Buffer.alloc(0);
    // The last line may be half written.
    const whole = news.subarray(0, news.lastIndexOf('\n') + 1);
    this.#bytes += whole.length;
    for (const line of whole.toString().split('\n')) if (line) this.#lines.push(JSON.parse(line));
    return this.#lines;
  }
}

function readFrom(path: string, at: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(fstatSync(file).size - at);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, at));
  } finally {
    closeSync(file);
  }
}

export function accountOf(lines: readonly Line[], log: readonly Entry[]): Account {
  const places = new Map(log.map((entry, place) => [nameOf(entry), place]));
  const owed = new Map<string, Entry>();
  const resets: ResetReason[] = [];
  let from: Position | undefined;
  const owe = () => {
    for (const entry of log)
      if (from?.epoch === entry.epoch && entry.offset > from.offset) owed.set(nameOf(entry), entry);
  };
  const account = { duplicated: 0, reordered: 0, wrong: 0 };
  const seen = new Set<string>();
  let last = -1;
  for (const line of lines) {
    if (line.kind === 'start' || line.kind === 'reset') {
      if (line.kind === 'reset') resets.push(line.reason);
      from = line;
      owe();
    }
    if (line.kind !== 'message') continue;
    const name = nameOf(line);
    const place = places.get(name);
    if (place === undefined || textOf(log[place]) !== textOf(line)) account.wrong++;
    if (seen.has(name)) account.duplicated++;
    else if (place !== undefined && place < last) account.reordered++;
    seen.add(name);
    last = Math.max(last, place ?? -1);
  }
  const counts = new Map<string, number>();
  for (const entry of log) counts.set(textOf(entry), (counts.get(textOf(entry)) ?? 0) + 1);
  const misstored = lines.filter((line) => line.kind === 'published' && counts.get(textOf(line)) !== 1).length;
  const lost = [...owed.keys()].filter((name) => !seen.has(name)).length;
  return { ...account, lost, misstored, resets };
}

function nameOf({ epoch, offset }: Position): string {
  return `${epoch}-${offset}`;
}

function textOf(entry: Pick<Entry, 'by' | 'n'> | undefined): string {
  return `${entry?.by} ${entry?.n}`;
}
