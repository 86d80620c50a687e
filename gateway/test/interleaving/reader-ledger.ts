import { endOf } from '../../src/broker/resume.js';
import { type At, type ChannelLedger, type LiveChannelLedger, text } from './channel-ledger.js';
import type { RolledUp } from './line.js';
import { numberOf, textOf } from './payloads.js';

/** Where a reader wants to begin. */
export type Beginning =
  | { readonly rewind: number }
  | { readonly rewindMs: number }
  | { readonly since: At }
  | Record<string, never>;

/** What one reader was told on one durable channel, checked as it comes. */
export class ReaderLedger {
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #channel: ChannelLedger;
  readonly #loses: boolean;
  /** Where it stands; `undefined` before it was first told. */
  at: At | undefined;
  received = 0;
  resets = 0;
  #forks = 0;

  /** `loses`: on a line that loses messages the gateway believes the client further on than it is. */
  constructor(name: string, channel: ChannelLedger, loses: boolean) {
    this.#name = name;
    this.#channel = channel;
    this.#loses = loses;
  }

  stands(at: At): void {
    this.at = at;
    this.#channel.seen = at;
    this.#forks = this.#channel.forksBefore(at) ?? this.#forks;
  }

  /** It begins where it was told that it stands. A failover may take what it should begin with. */
  begins(beginning: Beginning, at: At, nowMs: number): void {
    const { maxOffset, trimmedTo, forks } = this.#channel;
    const has = (count: number) => at.offset <= Math.max(maxOffset - count, trimmedTo);
    if (forks === 0 && 'rewind' in beginning && !has(beginning.rewind))
      this.#problem(`begins at ${text(at)} of ${maxOffset} (kept from ${trimmedTo}) with the last ${beginning.rewind}`);
    if (forks === 0 && 'rewindMs' in beginning) {
      const { entries } = this.#channel.view();
      const first = entries.find(({ time }) => time >= nowMs - beginning.rewindMs);
      if (first && at.offset >= first.offset && at.offset > trimmedTo)
        this.#problem(`begins at ${text(at)}, behind ${first.offset} of the last ${beginning.rewindMs} ms`);
    }
    this.stands(at);
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
      const said = textOf(data);
      if (truth !== said) this.#problem(`message ${text(at)} says ${said} of ${offset}, the log ${truth}`);
    }
    this.stands(at);
  }

  /** It stands here without having been told anything. */
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

  /** At rest everybody stands at the head. `isShared`: where an epoch ends there by either of its names. */
  finish(isShared = false): void {
    const view = this.#channel.view();
    const { head } = view;
    if (this.at === undefined) this.#problem('was never subscribed');
    else if (isShared && this.at.offset === head.offset && endOf(view, Number(this.at.epoch)) === head.offset) return;
    else if (this.at.offset !== head.offset || Number(this.at.epoch) !== head.epoch)
      this.#problem(`ends at ${text(this.at)}, the log at ${head.epoch}-${head.offset}`);
  }

  #problem(what: string): void {
    this.problems.push(`${this.#name}: ${what}`);
  }
}

/** What one reader was told on one live channel: while it stays, everything that comes, in order. */
export class LiveReaderLedger {
  readonly problems: string[] = [];
  readonly #name: string;
  readonly #channel: LiveChannelLedger;
  received = 0;
  readonly resets = 0;
  #isThere = false;
  /** Place of the last message of this stay. */
  #last: number | undefined;
  /** Place of the last message ever. */
  #newest = -1;

  constructor(name: string, channel: LiveChannelLedger) {
    this.#name = name;
    this.#channel = channel;
  }

  /** It is on the channel, for the first time or again. */
  begins(): void {
    this.#isThere = true;
    this.#last = undefined;
  }

  /** It was told that it may have missed messages. */
  missed(): void {
    this.#last = undefined;
  }

  message(data: unknown): void {
    this.received++;
    const place = this.#channel.placeOf(numberOf(data));
    if (place === undefined) {
      this.#problem(`${textOf(data)} was never published`);
      return;
    }
    if (!this.#isThere) this.#problem(`${textOf(data)} before it was subscribed`);
    const last = this.#last ?? place - 1;
    if (place <= last) this.#problem(`${textOf(data)}, number ${place}, after number ${last}`);
    for (let missing = last + 1; missing < place; missing++)
      if (!this.#channel.mayMiss(missing)) this.#problem(`number ${missing} is missing before number ${place}`);
    this.#last = place;
    this.#newest = Math.max(this.#newest, place);
  }

  /** At rest everybody has what was published last. */
  finish(_isShared = false): void {
    const last = this.#channel.size - 1;
    if (!this.#isThere) this.#problem('was never subscribed');
    else if (this.#newest < last && !this.#channel.mayMiss(last))
      this.#problem(`has number ${this.#newest} of ${last}`);
  }

  #problem(what: string): void {
    this.problems.push(`${this.#name}: ${what}`);
  }
}
