import type { Position, ResetReason } from '@fanfare/protocol';

export interface LogEntry extends Position {
  readonly data: unknown;
  readonly key?: string | undefined;
  readonly time: number;
}

/** Where a reader stands after a subscribe, and whether that is where it stood before. */
export interface Verdict {
  readonly at: Position;
  readonly reason?: ResetReason;
}

/**
 * The log of one durable channel, with the accidents that logs have. It judges positions by the protocol's resume
 * rules.
 */
export class FakeLog {
  readonly #entries: LogEntry[] = [];
  /** The epochs, oldest first, each with the offset after which it began. */
  readonly #lineage: { readonly epoch: string; readonly base: number }[] = [{ epoch: '100', base: 0 }];
  readonly #keys = new Map<string, LogEntry>();
  #offset = 0;
  #epochs = 100;
  /** Every entry there ever was, by `<epoch>-<offset>`, including what the log lost. */
  readonly everStored = new Map<string, LogEntry>();

  get head(): Position {
    return { epoch: this.#epoch.epoch, offset: this.#offset };
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  append(data: unknown, time: number, key?: string): { readonly entry: LogEntry; readonly duplicate: boolean } {
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (known) return { entry: known, duplicate: true };
    const entry: LogEntry = { epoch: this.#epoch.epoch, offset: ++this.#offset, data, time, key };
    this.#entries.push(entry);
    this.everStored.set(`${entry.epoch}-${entry.offset}`, entry);
    if (key !== undefined) this.#keys.set(key, entry);
    return { entry, duplicate: false };
  }

  /** Drops the oldest entries but the last `keep`. */
  trim(keep: number): void {
    this.#entries.splice(0, Math.max(0, this.#entries.length - keep));
  }

  /** Lets another master take over, without the last `lost` entries. */
  takeOver(lost: number): void {
    const gone = this.#entries.splice(Math.max(0, this.#entries.length - lost));
    this.#offset -= gone.length;
    for (const entry of gone) if (entry.key !== undefined) this.#keys.delete(entry.key);
    const kept = this.#lineage.filter(({ base }) => base <= this.#offset);
    this.#lineage.splice(0, this.#lineage.length, ...kept, { epoch: String(++this.#epochs), base: this.#offset });
  }

  /** Forgets every epoch but the newest. */
  forgetLineage(): void {
    const oldest = this.#entries[0];
    this.#lineage.splice(0, this.#lineage.length - 1);
    if (oldest && oldest.epoch !== this.#epoch.epoch) {
      this.#entries.splice(0, this.#entries.findLastIndex(({ epoch }) => epoch !== this.#epoch.epoch) + 1);
    }
  }

  judge(position: Position): Verdict {
    const index = this.#lineage.findIndex(({ epoch }) => epoch === position.epoch);
    if (index < 0) return { at: this.head, reason: 'unrecoverable' };
    const end = this.#lineage[index + 1]?.base ?? this.#offset;
    const diverged = position.offset > end;
    const at = diverged ? { epoch: position.epoch, offset: end } : position;
    const next = this.#entries.find(({ offset }) => offset > at.offset);
    if (at.offset !== this.#offset && next?.offset !== at.offset + 1) {
      const offset = next ? next.offset - 1 : this.#offset;
      return { at: { epoch: this.epochAt(offset), offset }, reason: diverged ? 'diverged' : 'expired' };
    }
    return diverged ? { at, reason: 'diverged' } : { at };
  }

  /** Returns the position after which the last `count` entries start. */
  rewind(count: number): Position {
    const first = this.#entries.at(-Math.min(count, this.#entries.length));
    if (count === 0 || !first) return this.head;
    return { epoch: this.epochAt(first.offset - 1), offset: first.offset - 1 };
  }

  /** Returns what comes after a position that {@link judge} found good: entries, and the borders between epochs. */
  after(position: Position): ({ readonly border: Position } | { readonly entry: LogEntry })[] {
    const steps: ({ readonly border: Position } | { readonly entry: LogEntry })[] = [];
    let { epoch } = position;
    const cross = (offset: number) => {
      for (const next of this.#lineage.slice(this.#lineage.findIndex((known) => known.epoch === epoch) + 1)) {
        if (next.base > offset) break;
        epoch = next.epoch;
        steps.push({ border: { epoch, offset: next.base } });
      }
    };
    for (const entry of this.#entries) {
      if (entry.offset <= position.offset) continue;
      cross(entry.offset - 1);
      steps.push({ entry });
    }
    cross(this.#offset);
    return steps;
  }

  epochAt(offset: number): string {
    const epoch = this.#lineage.findLast(({ base }) => base < offset) ?? this.#lineage[0];
    return (epoch as { epoch: string }).epoch;
  }

  get #epoch() {
    return this.#lineage.at(-1) as { epoch: string; base: number };
  }
}
