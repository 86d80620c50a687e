/** Pages through the log of a durable channel, for the `history` command and `GET /v1/history`. */
import type { Position, ResetReason } from '@fanfare/protocol';
import type { Broker, LogPage, ReadRange } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { endOf, judge, toLogPosition } from '../broker/resume.js';
import type { ChannelPolicy } from '../namespaces.js';

/** At most one of `after` and `before`; without them, the newest messages. */
interface HistoryRange {
  /** Reads the messages after this position. */
  readonly after?: Position | undefined;
  /** Reads the messages right before this position. */
  readonly before?: Position | undefined;
  /** Most messages that are returned. */
  readonly limit: number;
  /** About how many bytes of messages are returned at most; at least one message is returned if there is one. Default 256 KiB. */
  readonly maxBytes?: number;
  /** Reject at once where the log cannot be read just now, as `ReadRange` says. Default false. */
  readonly failFast?: boolean;
  /**
   * Called where nobody ever published, before the log is given an identity, so that `head` can be followed: what
   * it throws rejects the read.
   */
  readonly onNew?: () => void;
}

export type HistoryPage =
  | {
      readonly ok: true;
      /** Oldest first, without a hole. May be fewer than `limit` though there are more. */
      readonly messages: readonly LogRecord[];
      /** Whether the log goes on: newer ones with `after`, older ones otherwise. */
      readonly more: boolean;
      /** Where the log ended when it was read: what follows this is what the caller has not seen. */
      readonly head: LogPosition;
    }
  /** The position cannot be used, as in a `reset`. */
  | { readonly ok: false; readonly reason: ResetReason };

const MAX_PAGE_BYTES = 256 * 1024;

export class Reading {
  readonly #broker: Pick<Broker, 'read'>;

  constructor(broker: Pick<Broker, 'read'>) {
    this.#broker = broker;
  }

  /**
   * One page of a channel whose history the caller may read. Before a position is called unusable, the log is asked
   * again by a confirmed read.
   * @throws {FanfareError} `unavailable`
   */
  async history(channel: ChannelPolicy, range: HistoryRange): Promise<HistoryPage> {
    const page = await this.#page(channel, range, true);
    if (!page.ok || page.head.offset > 0) return page;
    // What a peek tells of a log without an identity is nobody's position.
    range.onNew?.();
    return this.#page(channel, range, false);
  }

  async #page(channel: ChannelPolicy, range: HistoryRange, isPeek: boolean): Promise<HistoryPage> {
    const { after, before, limit, maxBytes = MAX_PAGE_BYTES, failFast = false } = range;
    const given = after ?? before;
    const bounds = { limit, maxBytes, failFast, isPeek };
    if (given === undefined) return toPage(await this.#broker.read(channel, { last: true, ...bounds }));
    const position = toLogPosition(given);
    const wanted: ReadRange = { ...(after ? { after: position } : { before: position }), ...bounds };
    const faultOf = after ? faultAfter : faultBefore;
    let page = await this.#broker.read(channel, wanted);
    if (faultOf(position, page)) page = await this.#broker.read(channel, { ...wanted, confirmed: true });
    const reason = faultOf(position, page);
    if (reason) return { ok: false, reason };
    // Where the log crosses into another epoch one place has two names: the message at it is not before it.
    const last = page.entries.at(-1);
    if (before && last?.offset === position.offset) {
      const { epoch, offset } = last;
      page = await this.#broker.read(channel, { before: { epoch, offset }, ...bounds, failFast: false });
    }
    return toPage(page);
  }
}

function toPage({ entries, more, head }: LogPage): HistoryPage {
  return { ok: true, messages: entries, more, head };
}

function faultAfter(position: LogPosition, page: LogPage): ResetReason | undefined {
  const verdict = judge(position, page);
  return verdict.ok ? undefined : verdict.reason;
}

/** Trimmed messages before a position are no fault: the history ends there. */
function faultBefore(position: LogPosition, page: LogPage): ResetReason | undefined {
  const end = endOf(page, position.epoch);
  if (end === undefined) return 'unrecoverable';
  return position.offset > end ? 'diverged' : undefined;
}
