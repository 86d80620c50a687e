/** Pages through the log of a durable channel, for the `history` command and `GET /v1/history`. */
import type { Position, ResetReason } from '@fanfare/protocol';
import type { Broker, LogPage, ReadRange } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { endOf, judge, toLogPosition } from '../broker/resume.js';
import type { ChannelPolicy } from '../namespaces.js';

/** Which messages to read. At most one of `after` and `before` may be given; without them it is the newest messages. */
interface HistoryRange {
  /** Reads the messages after this position. */
  readonly after?: Position | undefined;
  /** Reads the messages right before this position. */
  readonly before?: Position | undefined;
  /** Most messages of the page. */
  readonly limit: number;
  /** Most bytes of messages of the page, about. At least one message is returned if there is one. Default 256 KiB. */
  readonly maxBytes?: number;
  /** Whether to reject at once if the log cannot be read just now, as in `ReadRange`. Default false. */
  readonly failFast?: boolean;
  /**
   * Called if nobody has ever published, before the log is given an identity (which it gets so that `head` can be
   * followed). If it throws, the read is rejected with that error.
   */
  readonly onNew?: () => void;
}

export type HistoryPage =
  | {
      readonly ok: true;
      /** The messages, oldest first and without a hole. They may be fewer than `limit` although there are more. */
      readonly messages: readonly LogRecord[];
      /** Whether there are more messages: newer ones if `after` was given, older ones otherwise. */
      readonly more: boolean;
      /** Where the log ended when it was read. The caller has not seen what follows. */
      readonly head: LogPosition;
    }
  /** The position that was given cannot be used any more, for the reason that a `reset` would have. */
  | { readonly ok: false; readonly reason: ResetReason };

const MAX_PAGE_BYTES = 256 * 1024;

export class Reading {
  readonly #broker: Pick<Broker, 'read'>;

  constructor(broker: Pick<Broker, 'read'>) {
    this.#broker = broker;
  }

  /**
   * Reads one page of a channel whose history the caller may read. Before a position is called unusable, the log is
   * asked again by a confirmed read.
   * @throws {FanfareError} `unavailable`
   */
  async history(channel: ChannelPolicy, range: HistoryRange): Promise<HistoryPage> {
    const page = await this.#page(channel, range, true);
    if (!page.ok || page.head.offset > 0) return page;
    // A peek into a log without an identity returns a position that belongs to no log.
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
    // At the border of two epochs one place has two names. The message at that place is not before it.
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

/**
 * Why messages before this position cannot be read, if so. Messages that were trimmed are no fault: the history begins
 * after them.
 */
function faultBefore(position: LogPosition, page: LogPage): ResetReason | undefined {
  const end = endOf(page, position.epoch);
  if (end === undefined) return 'unrecoverable';
  return position.offset > end ? 'diverged' : undefined;
}
