import type { ChannelSpec, LogPage } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import { endOf } from '../../src/broker/resume.js';
import type { FaultyLog } from '../support/faulty-broker.js';
import { isHidden, type RolledUp } from './line.js';

export interface At {
  readonly epoch: string;
  readonly offset: number;
}

/** What the log of one channel ever held, lost or trimmed entries included. */
export class ChannelLedger {
  readonly spec: ChannelSpec;
  readonly #log: FaultyLog;
  readonly #entries = new Map<string, { readonly data: string; readonly forks: number }>();
  /** Epochs of the entries that clients are not given, by offset. */
  readonly #hidden = new Map<number, number[]>();
  /** Highest offset that retention took. */
  trimmedTo = 0;
  /** Head and lineage after each fork: a reset is told later than it was found. */
  readonly #forks: LogPage[] = [];

  /** `hides`: clients are not given the entries that {@link isHidden} names. */
  constructor(log: FaultyLog, spec: ChannelSpec, hides: boolean) {
    this.#log = log;
    this.spec = spec;
    log.subscribe(spec.name, (record: LogRecord) => {
      const data = Buffer.from(record.payload.bytes).toString();
      this.#entries.set(text({ epoch: String(record.epoch), offset: record.offset }), {
        data,
        forks: this.#forks.length,
      });
      if (hides && isHidden(JSON.parse(data)))
        this.#hidden.set(record.offset, [...(this.#hidden.get(record.offset) ?? []), record.epoch]);
    });
  }

  /** The data at a position, as JSON text. */
  dataAt(at: At): string | undefined {
    return this.#entries.get(text(at))?.data;
  }

  /** Whether the log held, between these positions, an entry at `offset` that clients are not given. */
  hides(offset: number, before: At, next: At): boolean {
    const epochs = this.#hidden.get(offset) ?? [];
    return epochs.some((epoch) => Number(before.epoch) <= epoch && epoch <= Number(next.epoch));
  }

  view(): LogPage {
    return this.#log.view(this.spec);
  }

  /** The log was forked just now. */
  forked(): void {
    this.#forks.push(this.view());
  }

  /** How often the log had forked when it got this entry; a client may read it much later. */
  forksBefore(at: At): number | undefined {
    return this.#entries.get(text(at))?.forks;
  }

  /** Whether the log ever went on from `before` to the entry `next` of a later epoch, losing nothing. */
  crosses(before: At, next: At): boolean {
    return [this.view(), ...this.#forks].some((view) => {
      const end = endOf(view, Number(before.epoch));
      return end !== undefined && before.offset <= end && endOf(view, Number(next.epoch)) !== undefined;
    });
  }

  /**
   * Whether somebody who stands here since there were `forks` forks is owed a `reset` with this
   * reason, by the log as it is now or as it was in between.
   */
  justifies(reason: string, at: At, forks: number): boolean {
    return [this.view(), ...this.#forks.slice(Math.max(0, forks - 1))].some((view) => {
      const end = endOf(view, Number(at.epoch));
      if (reason === 'unrecoverable') return end === undefined;
      if (reason === 'diverged') return end !== undefined && at.offset > end;
      return end !== undefined && at.offset < this.trimmedTo;
    });
  }
}

/** What one client was told on one channel, checked as it comes. */
export class ClientLedger {
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #channel: ChannelLedger;
  readonly #loses: boolean;
  /** Where the client stands; `undefined` before it was first told. */
  at: At | undefined;
  received = 0;
  resets = 0;

  /** `loses`: on a line that loses messages the gateway believes the client further on than it is. */
  constructor(name: string, channel: ChannelLedger, loses: boolean) {
    this.#name = name;
    this.#channel = channel;
    this.#loses = loses;
  }

  #forks = 0;

  stands(at: At): void {
    this.at = at;
    this.#forks = this.#channel.forksBefore(at) ?? this.#forks;
  }

  /** A message that stands for these entries: its own, and those that were rolled up in it. */
  message(at: At, parts: RolledUp['parts']): void {
    this.received++;
    const { at: before } = this;
    if (!before) this.#problem(`message ${text(at)} before a position`);
    else if (at.offset <= before.offset) this.#problem(`message ${text(at)} after ${text(before)}`);
    else this.#cover(before, at, new Set(parts.map(([offset]) => offset)));
    for (const [offset, data] of parts) {
      const truth = this.#channel.dataAt({ epoch: at.epoch, offset });
      const said = JSON.stringify(data);
      if (truth !== said) this.#problem(`message ${text(at)} says ${said} of ${offset}, the log ${truth}`);
    }
    this.stands(at);
  }

  /** The client stands here without having been told anything. */
  moved(at: At): void {
    const { at: before } = this;
    if (!before) this.#problem(`moved to ${text(at)} before a position`);
    else if (at.offset < before.offset) this.#problem(`moved to ${text(at)} after ${text(before)}`);
    else if (at.offset > before.offset) {
      this.#cover(before, at, new Set());
      this.stands(at);
    }
    this.at = at;
  }

  /** Every entry from `before` to `at` was given, or is one that clients are not given. */
  #cover(before: At, at: At, given: ReadonlySet<number>): void {
    for (let offset = before.offset + 1; offset <= at.offset; offset++) {
      if (!given.has(offset) && !this.#channel.hides(offset, before, at))
        this.#problem(`${offset} is missing at ${text(at)} after ${text(before)}`);
    }
    if (before.epoch !== at.epoch && !this.#channel.crosses(before, at))
      this.#problem(`${text(at)} after ${text(before)}, which the log had lost`);
  }

  reset(reason: string, at: At): void {
    this.resets++;
    if (!this.at) this.#problem(`reset before a position`);
    else if (!this.#loses && !this.#channel.justifies(reason, this.at, this.#forks))
      this.#problem(`reset ${reason} at ${text(this.at)} to ${text(at)}`);
    this.stands(at);
  }

  /** At rest everybody stands at the head. */
  finish(): void {
    const { head } = this.#channel.view();
    if (!this.at || this.at.offset !== head.offset || Number(this.at.epoch) !== head.epoch) {
      this.#problem(`ends at ${this.at && text(this.at)}, the log at ${head.epoch}-${head.offset}`);
    }
  }

  #problem(what: string): void {
    this.problems.push(`${this.#name}: ${what}`);
  }
}

function text({ epoch, offset }: At): string {
  return `${epoch}-${offset}`;
}
