import type { ChannelSpec, LogPage } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import { endOf } from '../../src/broker/resume.js';
import type { FaultyLog } from '../support/faulty-broker.js';
import { isHidden } from './line.js';
import { decodePayload, numberOf, textOf } from './payloads.js';

export interface At {
  readonly epoch: string;
  readonly offset: number;
}

/** What a publisher was told. */
export interface Acknowledgement extends Partial<At> {
  readonly duplicate?: boolean;
}

export type AnyChannelLedger = ChannelLedger | LiveChannelLedger;

/** What the log of one durable channel ever held, lost or trimmed entries included. */
export class ChannelLedger {
  readonly spec: ChannelSpec;
  readonly #log: FaultyLog;
  readonly #entries = new Map<string, { readonly data: string; readonly forks: number }>();
  readonly #numbers = new Set<number>();
  /** Epochs of the entries that clients are not given, by offset. */
  readonly #hidden = new Map<number, number[]>();
  /** Highest offset that retention took. */
  trimmedTo = 0;
  /** Highest offset there ever was. */
  maxOffset = 0;
  /** Where somebody was told that they stand. */
  seen: At | undefined;
  /** Head and lineage after each fork: a reset is told later than it was found. */
  readonly #forks: LogPage[] = [];

  /** `hides`: clients are not given the entries that {@link isHidden} names. */
  constructor(log: FaultyLog, spec: ChannelSpec, hides: boolean) {
    this.#log = log;
    this.spec = spec;
    log.subscribe(spec.name, (record: LogRecord) => {
      const data = decodePayload(record.payload);
      this.#entries.set(text({ epoch: String(record.epoch), offset: record.offset }), {
        data: textOf(data),
        forks: this.#forks.length,
      });
      this.#numbers.add(numberOf(data));
      this.maxOffset = Math.max(this.maxOffset, record.offset);
      const oldest = this.view().entries[0]?.offset ?? 1;
      this.trimmedTo = Math.max(this.trimmedTo, oldest - 1);
      if (hides && isHidden(data))
        this.#hidden.set(record.offset, [...(this.#hidden.get(record.offset) ?? []), record.epoch]);
    });
  }

  /** The data at a position, as JSON text. */
  dataAt(at: At): string | undefined {
    return this.#entries.get(text(at))?.data;
  }

  /** Whether message `n` was ever in the log. */
  held(n: number): boolean {
    return this.#numbers.has(n);
  }

  /** What is wrong with the answer to the publish of message `n`. */
  refutes(n: number, { epoch, offset, duplicate }: Acknowledgement, data: unknown): string | undefined {
    if (epoch === undefined || offset === undefined) return `${n} was published without a position`;
    const truth = this.dataAt({ epoch, offset });
    if (truth === undefined) return `${n} was published at ${epoch}-${offset}, where nothing is`;
    if (!duplicate && truth !== textOf(data)) return `${n} was published at ${epoch}-${offset}, which is ${truth}`;
    return undefined;
  }

  /** Whether the log held, between these positions, an entry at `offset` that clients are not given. */
  hides(offset: number, before: At, next: At): boolean {
    // Where a fork begins one place has two names, and either may be what a reader goes on from.
    const [from, to] = [Number(before.epoch), Number(next.epoch)].sort((a, b) => a - b) as [number, number];
    return (this.#hidden.get(offset) ?? []).some((epoch) => from <= epoch && epoch <= to);
  }

  view(): LogPage {
    return this.#log.view(this.spec);
  }

  /** Whether a fork took from the log what stood there. */
  hasLost(at: At): boolean {
    const end = endOf(this.view(), Number(at.epoch));
    return end === undefined || at.offset > end;
  }

  /** The log was forked just now. */
  forked(): void {
    this.#forks.push(this.view());
  }

  get forks(): number {
    return this.#forks.length;
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

  /** A key stands for one message. */
  problems(): string[] {
    const keys = this.view().entries.flatMap(({ key }) => (key === undefined ? [] : [key]));
    const numbers = this.view().entries.map(({ payload }) => numberOf(decodePayload(payload)));
    return [
      ...(new Set(keys).size < keys.length ? [`a key is twice in the log of ${this.spec.name}: ${keys}`] : []),
      ...(new Set(numbers).size < numbers.length ? [`a message is twice in ${this.spec.name}: ${numbers}`] : []),
    ];
  }
}

/** What was pushed on a live channel, in order. */
export class LiveChannelLedger {
  readonly spec: ChannelSpec;
  readonly #order = new Map<number, number>();
  /** Messages that did not reach a gateway, of which nobody is told. */
  readonly #unreached = new Set<number>();
  readonly #dropped: () => number;

  /** @param dropped how many messages gateways had no room for */
  constructor(log: FaultyLog, spec: ChannelSpec, dropped: () => number) {
    this.spec = spec;
    this.#dropped = dropped;
    log.subscribe(spec.name, ({ payload }) => {
      this.#order.set(numberOf(decodePayload(payload)), this.#order.size);
    });
  }

  /** Which in order message `n` was. */
  placeOf(n: number): number | undefined {
    return this.#order.get(n);
  }

  get size(): number {
    return this.#order.size;
  }

  held(n: number): boolean {
    return this.#order.has(n);
  }

  refutes(n: number, { epoch, duplicate }: Acknowledgement): string | undefined {
    if (epoch !== undefined) return `${n} was published at ${epoch} of a live channel`;
    return duplicate || this.held(n) ? undefined : `${n} was published and not pushed`;
  }

  /** A gateway's link lost the push of this. */
  lost({ payload }: LogRecord): void {
    const place = this.placeOf(numberOf(decodePayload(payload)));
    if (place !== undefined) this.#unreached.add(place);
  }

  /** Whether somebody may miss what was in this place, though they were on the channel. */
  mayMiss(place: number): boolean {
    return this.#unreached.has(place) || this.#dropped() > 0;
  }
}

export function text({ epoch, offset }: At): string {
  return `${epoch}-${offset}`;
}
