import type { Wire } from '@fanfare/protocol';
import type { ChannelSpec, LineageEntry, LogPage } from '../broker/broker.js';
import type { LogPosition } from '../broker/record.js';
import {
  endOf,
  epochAt,
  hasEpoch,
  indexAfter,
  isBefore,
  judge,
  reaches,
  samePosition,
  toLogPosition,
  type Verdict,
} from '../broker/resume.js';
import { pause } from '../clock.js';
import { toFanfareError } from '../errors.js';
import { EVENT } from '../flight-recorder.js';
import { count } from '../stats.js';
import type { Membership } from './channel.js';
import { Entry, epochFrame, frameFor, resetFrame } from './entry.js';
import type { HubContext } from './hub-options.js';
import type { LogReader } from './log-reader.js';
import type { SendQueue } from './send-queue.js';
import type { Joined, Start } from './subscriber.js';
import type { Tail } from './tail.js';

/** The part of a channel that a replay needs. */
interface ReplayedChannel {
  readonly spec: ChannelSpec;
  readonly queue: Pick<SendQueue, 'progress'>;
  /** The last record taken over, whether flushed yet or not. */
  readonly cursor: LogPosition;
  readonly lineage: readonly LineageEntry[];
  readonly tail: Tail;
  readonly reader: LogReader;
  /** Repairs at least up to a position that somebody saw in the log. @throws {FanfareError} `unavailable` */
  catchUp(seen: LogPosition): Promise<void>;
  /** Compares the cursor with the log, and repairs if they differ. */
  repair(): Promise<void>;
  /** Whether nothing says that the log may have lost the cursor. */
  readonly isSure: boolean;
  /** Waits until the log has judged the cursor. @throws {FanfareError} `unavailable`, after `ms` */
  madeSure(ms: number): Promise<void>;
}

/** Most bytes that a replay sends without a pause. Then it waits until the socket has drained. */
const STRETCH_BYTES = 32 * 1024;

/**
 * Brings one client from where it stands to the flushed cursor of the channel, and puts it onto the topic in the same
 * synchronous step as its last replayed frame. It is sent the tail, where that covers its exact position, and otherwise
 * pages of the log. Each page is judged by the resume rules for the client's own position, because the log can fork or
 * be trimmed in the middle of a replay.
 */
export async function replay(
  channel: ReplayedChannel,
  membership: Membership,
  start: Start,
  context: HubContext,
  onJoined: (joined: Joined) => void,
): Promise<void> {
  if (membership.hasLeft) return;
  const done = channel.reader.use();
  await new Replay(channel, membership, context, onJoined).run(start).finally(done);
}

class Replay {
  readonly #channel: ReplayedChannel;
  readonly #membership: Membership;
  readonly #context: HubContext;
  readonly #onJoined: (joined: Joined) => void;
  /**
   * What the client has not been told yet of the `subscribed` answer, which goes out before the first frame;
   * `undefined` once it was sent.
   */
  #untold: { recovered?: boolean } | undefined;
  /**
   * Whether the replay is a rewind. Where the log does not reach back so far, a rewind begins at the oldest entry,
   * without a reset.
   */
  #clamp = false;
  #position: LogPosition = { epoch: 0, offset: 0 };
  /** The offset before the stretch of frames that is being sent; `undefined` between stretches. */
  #stretchFrom: number | undefined;
  /** A `reset` that must be accepted before anything else is sent. */
  #reset: Wire | undefined;

  constructor(
    channel: ReplayedChannel,
    membership: Membership,
    context: HubContext,
    onJoined: (joined: Joined) => void,
  ) {
    this.#channel = channel;
    this.#membership = membership;
    this.#context = context;
    this.#onJoined = onJoined;
    membership.replayedTo = () => this.#position;
  }

  async run(start: Start): Promise<void> {
    const channel = this.#channel;
    this.#context.stats.joins++;
    if (start === undefined) {
      this.#position = this.#flushed;
      this.#untold = {};
    } else if ('since' in start) {
      this.#position = toLogPosition(start.since);
      this.#untold = { recovered: true };
    } else {
      this.#position = await this.#rewound(start);
      this.#untold = {};
      this.#clamp = true;
    }
    let readPages = 0;
    let failures = 0;
    const startedAt = this.#context.clock.now();
    while (!this.#membership.hasLeft) {
      if (!this.#mayTell) {
        const waitedMs = this.#context.clock.now() - startedAt;
        await channel.madeSure(this.#context.options.joinTimeoutMs - waitedMs);
        continue;
      }
      if (this.#tryGoLive()) {
        if (readPages === 0) this.#context.stats.joinsFromTail++;
        return;
      }
      if (!this.#membership.subscriber.isDrained) {
        // The position is known to be recoverable, so the client need not wait behind other replays for its answer.
        if (channel.tail.after(this.#position)) this.#tell();
        await this.#membership.subscriber.drained();
        continue;
      }
      if (isBefore(this.#flushed, this.#position) && !isBefore(channel.cursor, this.#position)) {
        await channel.queue.progress();
        continue;
      }
      if (this.#sendTail()) continue;
      const before = this.#position;
      try {
        let page: LogPage | undefined;
        let isDoubtful = false;
        await this.#membership.subscriber.oneOfFew(async () => {
          if (this.#membership.hasLeft || (await this.#sendKept())) return;
          readPages++;
          page = await channel.reader.page(this.#position);
          isDoubtful = !(await this.#take(page, false));
        });
        // A confirmed read may take long, so it does not hold one of the few places: no other channel of the connection
        // is held up.
        if (isDoubtful) page = await this.#confirm();
        // The client or the log may be ahead of what was pushed to this gateway.
        if (page && !this.#membership.hasLeft) await channel.catchUp(page.head);
        if (this.#position !== before) {
          failures = 0;
          continue;
        }
        // The page brought nothing, and still the client has not reached the cursor, which may be ahead of the log.
        if (failures > 0) void channel.repair();
        await pause(this.#context.clock, failures++);
      } catch (error) {
        // A client that was told where it stands waits here. Before that it is refused, and may go elsewhere.
        const waitedMs = this.#context.clock.now() - startedAt;
        if (!toFanfareError(error).retryable) throw error;
        if (this.#untold && waitedMs >= this.#context.options.joinTimeoutMs) throw error;
        await pause(this.#context.clock, failures++);
      }
    }
  }

  /**
   * Whether a client that resumes may be told by what is at hand that it missed nothing. That holds only while the log
   * is known not to have lost the cursor; while that is in doubt the client has to wait.
   */
  get #mayTell(): boolean {
    return !this.#untold?.recovered || this.#channel.isSure;
  }

  /**
   * The position of the last frame that was handed to the transport. A client that stands there may go onto its topic.
   */
  get #flushed(): LogPosition {
    return this.#membership.topic.flushed;
  }

  /** Whether the log has the position, as far as this channel has followed it. */
  get #isInLog(): boolean {
    const { lineage, cursor } = this.#channel;
    return reaches({ lineage, head: cursor }, this.#position);
  }

  /** The position at which a rewind begins. */
  async #rewound(start: { readonly rewind: number } | { readonly rewindMs: number }): Promise<LogPosition> {
    const channel = this.#channel;
    const { cursor, tail, lineage } = channel;
    if ('rewind' in start) {
      const offset = Math.max(0, cursor.offset - start.rewind);
      return tail.positionAt(offset) ?? { epoch: epochAt(lineage, offset), offset };
    }
    const sinceTime = this.#context.clock.wall() - start.rewindMs;
    const position = tail.since(sinceTime);
    if (position) return position;
    this.#context.stats.logReads++;
    const page = await this.#context.broker.read(channel.spec, { sinceTime, limit: 1 });
    const first = page.entries[0];
    if (!first) return page.head;
    return { epoch: epochAt(page.lineage, first.offset - 1), offset: first.offset - 1 };
  }

  /**
   * Puts the client onto the topic if its position equals the flushed cursor. Test and entry are one synchronous step.
   */
  #tryGoLive(): boolean {
    const channel = this.#channel;
    const flushed = this.#flushed;
    // A reset may still wait behind what was flushed. A client is not told that it missed nothing of what that reset
    // takes back.
    if (this.#untold?.recovered && !this.#isInLog) return false;
    if (!samePosition(this.#position, flushed)) {
      // The border of two epochs is one place with two names. The client is told the newer one.
      const end = endOf({ lineage: channel.lineage, head: flushed }, this.#position.epoch);
      const known = hasEpoch(channel.lineage, flushed.epoch);
      const same = known && isBefore(this.#position, flushed) && this.#position.offset === flushed.offset;
      if (!same || end !== flushed.offset) return false;
      this.#tell();
      if (!this.#membership.subscriber.isDrained || !this.#cross(flushed.epoch)) return false;
    }
    this.#tell();
    if (!this.#membership.subscriber.isDrained) return false;
    this.#membership.goLive();
    return true;
  }

  #tell(): void {
    if (!this.#untold) return;
    const { recovered } = this.#untold;
    this.#untold = undefined;
    this.#clamp = false;
    if (recovered !== undefined) this.#context.stats.resumesRecovered++;
    this.#note(EVENT.joined);
    this.#onJoined({ position: this.#position, ...(recovered !== undefined && { recovered }) });
  }

  /** Sends a stretch of the tail. Returns `false` if the tail does not cover the position. */
  #sendTail(): boolean {
    const { tail } = this.#channel;
    let entry = tail.after(this.#position);
    if (!entry) return false;
    this.#tell();
    this.#sendTogether(() => {
      for (let bytes = 0; entry && bytes < STRETCH_BYTES; entry = tail.after(this.#position)) {
        if (samePosition(this.#position, this.#flushed)) return;
        if (!this.#send(entry)) return;
        bytes += entry.record.size;
      }
    });
    return true;
  }

  /** Sends a page that others needed a while ago. Returns `false` if there is none. */
  async #sendKept(): Promise<boolean> {
    const kept = this.#mayTell ? this.#channel.reader.keptPage(this.#position) : undefined;
    if (!kept || !judge(this.#position, kept).ok) return false;
    await this.#sendPage(kept);
    return true;
  }

  /**
   * Judges a page and sends it. Returns `false` if the page says that continuity broke and was not confirmed: a
   * confirmed page has to say that.
   */
  async #take(page: LogPage, isConfirmed: boolean): Promise<boolean> {
    if (this.#membership.hasLeft) return true;
    const verdict = judge(this.#position, page);
    if (!verdict.ok && !this.#clamp && !isConfirmed) return false;
    if (!verdict.ok) this.#break(verdict);
    await this.#sendPage(page);
    return true;
  }

  async #confirm(): Promise<LogPage> {
    const page = await this.#channel.reader.page(this.#position, true);
    await this.#membership.subscriber.oneOfFew(async () => void (await this.#take(page, true)));
    return page;
  }

  /** Moves the client to where the log goes on, and tells it so by a reset. A rewind merely begins later. */
  #break(verdict: Verdict & { ok: false }): void {
    this.#position = verdict.at;
    if (this.#clamp) return;
    this.#note(EVENT.joinedAnew);
    count(this.#context.stats.resets, verdict.reason);
    this.#context.onReset(this.#membership.channel.spec.name, verdict.reason, verdict.at, 1);
    if (this.#untold) {
      this.#untold = undefined;
      this.#onJoined({ position: verdict.at, recovered: false, reason: verdict.reason });
    } else {
      const { subscriber, channel } = this.#membership;
      const frame = subscriber.dialect.encode(resetFrame(channel.spec.name, verdict.reason, verdict.at));
      this.#reset = frame;
    }
  }

  /** Sends the entries of a page after the position, at the pace of the socket. */
  async #sendPage(page: LogPage): Promise<void> {
    const { subscriber } = this.#membership;
    this.#tell();
    this.#context.stats.replayPages++;
    const { entries } = page;
    let next = indexAfter(entries, this.#position);
    for (;;) {
      while (!subscriber.isDrained && !this.#membership.hasLeft) await subscriber.drained();
      if (this.#membership.hasLeft) return;
      if (this.#reset !== undefined) {
        if (!subscriber.sendReplayed(this.#reset)) continue;
        this.#reset = undefined;
        continue;
      }
      if (samePosition(this.#position, this.#flushed)) return;
      if (next >= entries.length) break;
      this.#sendTogether(() => {
        for (let bytes = 0; next < entries.length && bytes < STRETCH_BYTES; next++) {
          if (samePosition(this.#position, this.#flushed)) return;
          const record = entries[next] as LogPage['entries'][number];
          if (!this.#send(new Entry(this.#channel.spec.name, record, true))) return;
          bytes += record.size;
        }
      });
    }
    if (!page.more && this.#position.epoch !== page.head.epoch && this.#position.offset === page.head.offset) {
      this.#cross(page.head.epoch);
    }
  }

  /**
   * Sends one entry, after an `epoch` frame if the entry begins a new epoch. Returns `false` if the socket did not
   * accept it.
   */
  #send(entry: Entry): boolean {
    const { record } = entry;
    if (record.epoch !== this.#position.epoch) {
      if (!this.#cross(record.epoch)) return false;
      if (samePosition(this.#position, this.#flushed)) return false;
    }
    const { subscriber } = this.#membership;
    const frame = frameFor(entry, subscriber.session, subscriber.dialect);
    if (frame !== undefined && !subscriber.sendReplayed(frame)) return false;
    this.#context.stats.replayed++;
    this.#position = record;
    return true;
  }

  /** Runs `send`. What it sends leaves in as few writes as possible, and is noted in the flight recorder. */
  #sendTogether(send: () => void): void {
    this.#stretchFrom = this.#position.offset;
    this.#membership.subscriber.cork(send);
    this.#noteStretch();
    this.#stretchFrom = undefined;
  }

  #noteStretch(): void {
    if (this.#stretchFrom === undefined) return;
    const { subscriber, channel } = this.#membership;
    const { epoch, offset } = this.#position;
    const from = this.#stretchFrom + 1;
    if (offset >= from)
      this.#context.recorder.note(EVENT.replayed, channel.spec.name, subscriber.session, epoch, from, offset);
    this.#stretchFrom = offset;
  }

  #note(kind: number): void {
    const { subscriber, channel } = this.#membership;
    this.#context.recorder.noteAt(kind, channel.spec.name, subscriber.session, this.#position);
  }

  #cross(epoch: number): boolean {
    const { subscriber, channel } = this.#membership;
    const at = { epoch, offset: this.#position.offset };
    if (!subscriber.sendReplayed(subscriber.dialect.encode(epochFrame(channel.spec.name, at)))) return false;
    this.#noteStretch();
    this.#position = at;
    return true;
  }
}
