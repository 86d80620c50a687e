import { endOf } from '../../src/broker/resume.js';
import type { ChannelSpec, LogPage } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import type { FaultyLog } from '../support/faulty-broker.js';

export interface At {
  readonly epoch: string;
  readonly offset: number;
}

/** What the log of one channel ever held, lost or trimmed entries included. */
export class ChannelLedger {
  readonly spec: ChannelSpec;
  readonly #log: FaultyLog;
  readonly #entries = new Map<string, string>();
  /** Highest offset that retention took. */
  trimmedTo = 0;

  constructor(log: FaultyLog, spec: ChannelSpec) {
    this.#log = log;
    this.spec = spec;
    log.subscribe(spec.name, (record: LogRecord) => {
      this.#entries.set(`${record.epoch}-${record.offset}`, Buffer.from(record.payload.bytes).toString());
    });
  }

  /** The data at a position, as JSON text. */
  dataAt(at: At): string | undefined {
    return this.#entries.get(`${at.epoch}-${at.offset}`);
  }

  view(): LogPage {
    return this.#log.view(this.spec);
  }

  /** Whether somebody who stands here is owed a `reset` with this reason by the log as it is now. */
  justifies(reason: string, at: At): boolean {
    const view = this.view();
    const end = endOf(view, Number(at.epoch));
    if (reason === 'unrecoverable') return end === undefined;
    if (reason === 'diverged') return end !== undefined && at.offset > end;
    return end !== undefined && at.offset < this.trimmedTo;
  }
}

/** What one client was told on one channel, checked as it comes. */
export class ClientLedger {
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #channel: ChannelLedger;
  /** Where the client stands; `undefined` before it was first told. */
  at: At | undefined;
  received = 0;
  resets = 0;

  constructor(name: string, channel: ChannelLedger) {
    this.#name = name;
    this.#channel = channel;
  }

  stands(at: At): void {
    this.at = at;
  }

  message(at: At, data: string): void {
    this.received++;
    const { at: before } = this;
    if (!before) this.#problem(`message ${text(at)} before a position`);
    else if (at.offset !== before.offset + 1) this.#problem(`message ${text(at)} after ${text(before)}`);
    const truth = this.#channel.dataAt(at);
    if (truth !== data) this.#problem(`message ${text(at)} says ${data}, the log ${truth}`);
    this.at = at;
  }

  /** A clean border: same offset, newer epoch. */
  epoch(at: At): void {
    if (!this.at || at.offset !== this.at.offset || Number(at.epoch) < Number(this.at.epoch)) {
      this.#problem(`epoch ${text(at)} at ${this.at && text(this.at)}`);
    }
    this.at = at;
  }

  reset(reason: string, at: At): void {
    this.resets++;
    if (!this.at) this.#problem(`reset before a position`);
    else if (!this.#channel.justifies(reason, this.at)) this.#problem(`reset ${reason} at ${text(this.at)} to ${text(at)}`);
    this.at = at;
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
