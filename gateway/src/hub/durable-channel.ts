import type { LineageEntry, LogPage, PublishOutcome } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { endOf, hasEpoch, isBefore, judge, reaches, samePosition } from '../broker/resume.js';
import { pause } from '../clock.js';
import { FanfareError, toFanfareError } from '../errors.js';
import { EVENT } from '../flight-recorder.js';
import { count } from '../stats.js';
import { Certainty } from './certainty.js';
import { Channel, type Membership } from './channel.js';
import { epochFrame, Notice, resetFrame } from './entry.js';
import { HeldRecords } from './held-records.js';
import { LogReader } from './log-reader.js';
import { OwnPublishes } from './own-publishes.js';
import { replay } from './replay.js';
import { Standstill } from './stalls.js';
import type { Joined, Start } from './subscriber.js';
import { Tail } from './tail.js';
import { NOWHERE } from './topic.js';

/**
 * A channel with a log. Pushed records are hints, and the log decides. A record that does not directly follow the
 * cursor is held back while the channel repairs itself from the log, by the same rules by which a client resumes.
 */
export class DurableChannel extends Channel {
  /** The last record taken over, whether flushed yet or not. */
  cursor: LogPosition = NOWHERE;
  lineage: readonly LineageEntry[] = [];
  readonly reader = new LogReader(this.context, this.spec);
  readonly tail = new Tail(
    this.spec.name,
    this.context.options.tailEntries,
    this.context.options.tailBytes,
    this.cursor,
  );
  /** Records that were pushed and not taken over; `undefined` while pushes follow the cursor. */
  #held: HeldRecords | undefined = new HeldRecords(this.context.options);
  /** While it does not follow its pushes. */
  #standstill: Standstill | undefined;
  #interrupted = false;
  #interruptions = 0;
  /** Whether the log has been read, so that there is a cursor to repair from. */
  #hasCursor = false;
  /** Made with the first answer to a publish of this gateway. */
  #ownPublishes: OwnPublishes | undefined;
  readonly #certainty = new Certainty(this.context.clock);
  #repair: Promise<void> | undefined;
  #repairAgain = false;

  /** The part of the broker that serves the channel now; `''`: not known yet. */
  get shard(): string {
    return this.subscription?.shard ?? '';
  }

  override get head(): LogPosition | undefined {
    return this.#hasCursor ? this.cursor : undefined;
  }

  override async join(membership: Membership, start: Start, onJoined: (joined: Joined) => void): Promise<void> {
    await this.ready();
    const stall = this.#standstill?.stall;
    if (stall) throw new FanfareError('unavailable', `the channel stands still: ${stall.reason}`, RETRY);
    if (!start || !('since' in start)) await this.#ownPublishes?.flushed(membership.topic);
    await replay(this, membership, start, this.context, onJoined);
  }

  override onPublished(outcomes: readonly PublishOutcome[]): void {
    this.#ownPublishes ??= new OwnPublishes(this, this.context.clock);
    this.#ownPublishes.answered(outcomes);
  }

  get isSure(): boolean {
    return this.#certainty.isOpen;
  }

  async madeSure(ms: number): Promise<void> {
    await this.#certainty.passed(ms);
  }

  /** From now on pushes are held back, if they were not before. */
  #stand(): HeldRecords {
    this.#held ??= new HeldRecords(this.context.options);
    if (this.#hasCursor && !this.#standstill) {
      this.#standstill = new Standstill(this.context, this);
      this.#standstill.begin();
    }
    return this.#held;
  }

  #because(reason: string): void {
    if (this.#standstill) this.#standstill.reason = reason;
  }

  #goOn(): void {
    this.#standstill?.end();
    this.#standstill = undefined;
  }

  // --- the step rule -----------------------------------------------------------------------------

  override onRecord(record: LogRecord): void {
    if (this.#held) {
      this.#hold(record);
      return;
    }
    const { cursor } = this;
    if (record.epoch === cursor.epoch) {
      if (record.offset === cursor.offset + 1) {
        if (!this.queue.isFull) {
          this.#take(record);
          return;
        }
        // Messages come faster than they can be sent. They are read from the log instead, page by page as there is
        // room.
        this.context.stats.queueOverflows++;
        this.#hold(record);
        void this.repair(record);
        return;
      }
      if (record.offset <= cursor.offset) return;
    }
    this.context.stats.pushGaps++;
    this.#hold(record);
    void this.repair(record);
  }

  #take(record: LogRecord): void {
    this.cursor = record;
    this.queue.push(this.tail.push(record));
  }

  #hold(record: LogRecord): void {
    this.#stand().hold(record);
    if (!hasEpoch(this.lineage, record.epoch)) this.#certainty.close();
  }

  // --- activation and repair ---------------------------------------------------------------------

  protected override async activate(): Promise<void> {
    this.context.stats.logReads++;
    const { tailEntries, tailBytes } = this.context.options;
    // During an interruption the log may be read before the subscription is acknowledged again. What is published
    // between the two is neither read nor pushed.
    const wasInterrupted = this.#interrupted;
    const interruptions = this.#interruptions;
    const page = await this.context.broker.read(this.spec, { last: true, limit: tailEntries, maxBytes: tailBytes });
    this.cursor = page.head;
    this.lineage = page.lineage;
    this.tail.fill(page.entries, page.lineage, page.head);
    this.queue.startAt(this.cursor);
    this.#hasCursor = true;
    this.#certainty.open();
    this.context.recorder.noteAt(EVENT.opened, this.spec.name, '', this.cursor);
    if (wasInterrupted || interruptions !== this.#interruptions || !this.#release(page)) void this.repair();
  }

  protected override onEnded(): void {
    if (this.#hasCursor) this.context.recorder.noteAt(EVENT.closed, this.spec.name, '', this.cursor);
    this.reader.forget();
    this.#held = new HeldRecords(this.context.options);
    this.#goOn();
  }

  override onInterrupted(): void {
    this.#interrupted = true;
    this.#interruptions++;
    this.#certainty.doubt();
    this.#stand();
    this.#because('its subscription is interrupted');
  }

  override onResumed(): void {
    this.#interrupted = false;
    if (this.#hasCursor) void this.repair();
  }

  override onDoubt(): void {
    void this.#checkDoubt();
  }

  /**
   * Reads the log from the cursor on until pushes and log agree. Calls that come meanwhile share one run.
   * @param seen a position that the log is known to hold. If it is of the cursor's epoch and not before the cursor, it
   * proves that the log goes on from there.
   */
  repair(seen?: LogPosition): Promise<void> {
    if (seen?.epoch !== this.cursor.epoch || isBefore(seen, this.cursor)) this.#certainty.doubt();
    this.#repairAgain = true;
    this.#repair ??= this.#runRepair().finally(() => {
      this.#repair = undefined;
      // It was asked for again after the run had ended, and before anybody could know that.
      if (this.#repairAgain && !this.ended && !this.#interrupted) void this.repair(this.cursor);
    });
    return this.#repair;
  }

  /** Repairs at least up to this position, which somebody saw in the log. It takes no longer than a join may wait. */
  async catchUp(seen: LogPosition): Promise<void> {
    if (!isBefore(this.cursor, seen)) return;
    const { clock, options } = this.context;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(options.joinTimeoutMs, resolve);
      void this.repair(seen).then(() => {
        cancel();
        resolve();
      });
    });
    if (isBefore(this.cursor, seen)) throw new FanfareError('unavailable', 'the gateway is behind the log', RETRY);
  }

  async #runRepair(): Promise<void> {
    let unexplainedSince: number | undefined;
    let hasLooked = false;
    for (let attempt = 0; !this.ended && !this.#interrupted; ) {
      this.#repairAgain = false;
      // Nothing is taken over while the log is read, because the page is judged by the cursor for which it was asked.
      this.#stand();
      try {
        await this.queue.room();
        // A page that is read now would be old by the time the subscription is back.
        if (this.#interrupted) return;
        const { doubts } = this.#certainty;
        // A place is held for one attempt only, so that a channel that cannot be repaired holds up no other.
        const page = await this.context.repairs.run(() => (hasLooked ? this.#judgedPage() : this.#look()));
        hasLooked = true;
        if (this.ended) return;
        this.#follow(page);
        if (!this.#held?.isStrangeTo(page.lineage)) this.#certainty.judged(doubts);
        // Pushes cannot be followed now. The channel is repaired again once the subscription is back.
        if (this.#interrupted) return;
        this.#because('what is pushed is not in its log');
        if (page.entries.length > 0) this.#standstill?.moved();
        if (page.more) {
          attempt = 0;
          continue;
        }
        if (this.#release(page)) {
          if (this.#repairAgain) continue;
          this.context.stats.repairs++;
          return;
        }
        unexplainedSince =
          this.#held && !this.#held.isEmpty ? (unexplainedSince ?? this.context.clock.now()) : undefined;
        if (
          unexplainedSince !== undefined &&
          this.context.clock.now() - unexplainedSince >= this.context.options.distrustMs
        ) {
          unexplainedSince = undefined;
          this.#held?.forget();
          this.subscription?.distrust();
        }
      } catch (error) {
        const failure = toFanfareError(error);
        this.#because(failure.message);
        if (!failure.retryable) this.context.onFault('repair failed', error);
      }
      await pause(this.context.clock, attempt++);
    }
  }

  /**
   * Reads the head alone. Most channels missed nothing, and for them that is enough; it costs no page on a busy
   * connection.
   */
  async #look(): Promise<LogPage> {
    const look = await this.context.broker.read(this.spec, { after: this.cursor, limit: 0, failFast: true });
    return samePosition(look.head, this.cursor) ? look : this.#judgedPage();
  }

  /**
   * Reads the page after the cursor. If it says that continuity broke, it is read once more, and has to be confirmed
   * then.
   */
  async #judgedPage(): Promise<LogPage> {
    const page = await this.reader.page(this.cursor);
    return judge(this.cursor, page).ok ? page : this.reader.page(this.cursor, true);
  }

  /** Takes over a page in the way of a client that stands at the cursor. */
  #follow(page: LogPage): void {
    const verdict = judge(this.cursor, page);
    this.lineage = page.lineage;
    if (!verdict.ok) {
      this.reader.forget();
      this.cursor = verdict.at;
      this.tail.reset(verdict.at);
      count(this.context.stats.resets, verdict.reason);
      this.context.onReset(this.spec.name, verdict.reason, verdict.at, this.subscribers);
      this.context.recorder.noteAt(EVENT.reset, this.spec.name, verdict.reason, verdict.at);
      this.queue.push(new Notice(verdict.at, resetFrame(this.spec.name, verdict.reason, verdict.at)));
    }
    let { offset } = this.cursor;
    const note = () => {
      const { recorder } = this.context;
      const { cursor, spec } = this;
      if (cursor.offset > offset) recorder.note(EVENT.read, spec.name, '', cursor.epoch, offset + 1, cursor.offset);
      offset = cursor.offset;
    };
    for (const record of page.entries) {
      if (!isBefore(this.cursor, record)) continue;
      if (record.epoch !== this.cursor.epoch) {
        note();
        this.#cross(record.epoch);
      }
      this.#take(record);
    }
    note();
    if (!page.more && this.cursor.epoch !== page.head.epoch) this.#cross(page.head.epoch);
  }

  /** Goes on in the next epoch at the same place: the log was taken over by another server without a loss. */
  #cross(epoch: number): void {
    this.cursor = { epoch, offset: this.cursor.offset };
    this.queue.push(new Notice(this.cursor, epochFrame(this.spec.name, this.cursor)));
  }

  /**
   * Takes over the records that were held back, as far as they follow. Returns `false` if the log does not explain all
   * of them.
   */
  #release({ lineage }: LogPage): boolean {
    const held = this.#held;
    const isExplained = (record: LogRecord) => {
      if (reaches({ lineage, head: this.cursor }, record)) return true;
      if (record.epoch !== this.cursor.epoch || record.offset !== this.cursor.offset + 1) return false;
      this.#take(record);
      return true;
    };
    if (held && !held.release(isExplained)) return false;
    this.#held = undefined;
    this.#goOn();
    return true;
  }

  override async audit(): Promise<void> {
    this.context.stats.audits++;
    if (await this.#compare()) this.context.stats.auditFindings++;
  }

  /**
   * Compares the channel with its log because its slot may be moving. Pushes of the new owner do not come then, so what
   * is missing is no surprise.
   */
  async #checkDoubt(): Promise<void> {
    if (await this.#compare()) this.context.stats.doubtFindings++;
  }

  /** Compares the cursor with the log, and repairs if they differ. Returns whether pushes are missing. */
  async #compare(): Promise<boolean> {
    if (!this.#followsPushes) return false;
    const before = this.cursor;
    let page: LogPage;
    try {
      page = await this.context.repairs.run(() =>
        this.context.broker.read(this.spec, { after: before, limit: 0, failFast: true }),
      );
    } catch {
      return false; // the shard is down; its return repairs
    }
    // Records that were pushed before the answer may be taken over only after it.
    await new Promise<void>((resolve) => this.context.clock.soon(resolve));
    if (!this.#followsPushes) return false;
    const behind = isBefore(this.cursor, page.head);
    const ahead = isBefore(page.head, before);
    if (!behind && !ahead) return false;
    const missed = !(behind && samePlace(this.cursor, page));
    void this.repair(page.head);
    return missed;
  }

  get #followsPushes(): boolean {
    return this.active && !this.#held && !this.ended;
  }
}

const RETRY = { retryAfterMs: 1_000 };

/**
 * Whether only the epoch of the cursor is behind: the log was taken over by another server, and nobody has published to
 * it since.
 */
function samePlace(cursor: LogPosition, page: LogPage): boolean {
  return (
    cursor.offset === page.head.offset &&
    endOf(page, cursor.epoch) === cursor.offset &&
    !samePosition(cursor, page.head)
  );
}
