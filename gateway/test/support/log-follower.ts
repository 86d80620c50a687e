import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelListener, ChannelSpec, LogPage, ReadRange, Subscription } from '../../src/broker/broker.js';
import type { LogPosition, LogRecord } from '../../src/broker/record.js';
import { judge, type Verdict } from '../../src/broker/resume.js';
import { FanfareError } from '../../src/errors.js';

/** The half of a broker that a follower needs. */
export interface LogSource {
  subscribe(channel: ChannelSpec, listener: ChannelListener): Promise<Subscription>;
  read(channel: ChannelSpec, range: ReadRange): Promise<LogPage>;
}

const MAX_PAGE = 500;
const RETRY_MS = 50;

/**
 * Follows one channel by the rules of the design: takes what is pushed if it continues, repairs itself
 * from the log otherwise and after every interruption, and notes whatever broke continuity.
 */
export class LogFollower implements ChannelListener {
  readonly channel: ChannelSpec;
  /** What it took, in the order taken. */
  readonly seen: LogRecord[] = [];
  /** When it took each of them, ms. */
  readonly seenAt: number[] = [];
  readonly resets: Extract<Verdict, { ok: false }>[] = [];
  readonly calls: ('interrupted' | 'resumed' | 'doubt')[] = [];
  readonly #source: LogSource;
  #subscription: Subscription | undefined;
  #cursor: LogPosition | undefined;
  #buffer: LogRecord[] = [];
  #isRepairing = false;
  #isRepairDue = false;
  #isClosed = false;

  constructor(source: LogSource, channel: ChannelSpec) {
    this.#source = source;
    this.channel = channel;
  }

  /** Resolves once it stands at the head of the log. */
  async start(): Promise<void> {
    this.#subscription = await this.#source.subscribe(this.channel, this);
    const page = await this.#source.read(this.channel, { last: true, limit: 0 });
    this.#cursor = page.head;
    this.#drain(page.head);
  }

  async stop(): Promise<void> {
    this.#isClosed = true;
    await this.#subscription?.unsubscribe();
  }

  distrust(): void {
    this.#subscription?.distrust();
  }

  get cursor(): LogPosition | undefined {
    return this.#cursor;
  }

  onRecord(record: LogRecord): void {
    if (!this.#cursor || this.#isRepairing) this.#buffer.push(record);
    else this.#step(record);
  }

  onInterrupted(): void {
    this.calls.push('interrupted');
  }

  onResumed(): void {
    this.calls.push('resumed');
    this.#repair();
  }

  onDoubt(): void {
    this.calls.push('doubt');
    this.#repair();
  }

  #step(record: LogRecord): void {
    const cursor = this.#cursor as LogPosition;
    if (record.epoch === cursor.epoch && record.offset <= cursor.offset) return;
    if (record.epoch === cursor.epoch && record.offset === cursor.offset + 1) {
      this.#take(record);
      return;
    }
    this.#buffer.push(record);
    this.#repair();
  }

  #take(record: LogRecord): void {
    this.seen.push(record);
    this.seenAt.push(Date.now());
    this.#cursor = { epoch: record.epoch, offset: record.offset };
  }

  #drain(head: LogPosition): void {
    const buffered = this.#buffer.filter(({ epoch, offset }) => epoch !== head.epoch || offset > head.offset);
    this.#buffer = [];
    for (const record of buffered) this.onRecord(record);
  }

  #repair(): void {
    this.#isRepairDue = true;
    if (!this.#isRepairing && this.#cursor) void this.#repairAll();
  }

  async #repairAll(): Promise<void> {
    this.#isRepairing = true;
    while (this.#isRepairDue && !this.#isClosed) {
      this.#isRepairDue = false;
      const head = await this.#catchUp();
      this.#isRepairing = false;
      this.#drain(head);
      if (this.#isRepairDue) await delay(RETRY_MS);
      this.#isRepairing = true;
    }
    this.#isRepairing = false;
  }

  async #catchUp(): Promise<LogPosition> {
    for (;;) {
      let page = await this.#page(false);
      let verdict = judge(this.#cursor as LogPosition, page);
      if (!verdict.ok) {
        page = await this.#page(true);
        verdict = judge(this.#cursor as LogPosition, page);
      }
      if (!verdict.ok) {
        this.resets.push(verdict);
        this.#cursor = verdict.at;
      }
      for (const entry of page.entries)
        if (entry.offset === (this.#cursor as LogPosition).offset + 1) this.#take(entry);
      if (page.more || (this.#cursor as LogPosition).offset !== page.head.offset) continue;
      this.#cursor = page.head;
      return page.head;
    }
  }

  async #page(confirmed: boolean): Promise<LogPage> {
    for (;;) {
      try {
        return await this.#source.read(this.channel, {
          after: this.#cursor as LogPosition,
          limit: MAX_PAGE,
          confirmed,
        });
      } catch (error) {
        if (this.#isClosed || !(error instanceof FanfareError) || error.code !== 'unavailable') throw error;
        await delay(RETRY_MS);
      }
    }
  }
}
