import type { ResetReason } from '@fanfare/protocol';
import { type At, type ChannelLedger, text } from './channel-ledger.js';
import { textOf } from './payloads.js';

/** What was asked of the history of a channel, and how its log stood then. */
export interface Asked {
  readonly after?: At;
  readonly before?: At;
  readonly limit: number;
  readonly headOffset: number;
  readonly forks: number;
}

export interface Page {
  readonly messages: readonly (At & { readonly data: unknown })[];
  readonly more: boolean;
}

export function ask(channel: ChannelLedger, range: Pick<Asked, 'after' | 'before' | 'limit'>): Asked {
  return { ...range, headOffset: channel.view().head.offset, forks: channel.forks };
}

/**
 * What is wrong with a page of the history.
 * @param isFresh nothing answered from an old log meanwhile: the page has what was there when it was asked for
 */
export function refutePage(channel: ChannelLedger, asked: Asked, page: Page, isFresh: boolean): string | undefined {
  const { after, before, limit, headOffset } = asked;
  const { messages, more } = page;
  const where = `the page ${messages.map(text).join(' ')}${more ? ' …' : ''} of ${JSON.stringify(asked)}`;
  if (messages.length > limit) return `${where} is too long`;
  let previous = after;
  for (const message of messages) {
    if (channel.dataAt(message) !== textOf(message.data)) return `${where} says ${textOf(message.data)}`;
    if (previous && message.offset !== previous.offset + 1) return `${where} has a hole`;
    if (previous && previous.epoch !== message.epoch && !channel.crosses(previous, message)) return `${where} forks`;
    previous = message;
  }
  const first = messages[0];
  const last = messages.at(-1);
  const { trimmedTo } = channel;
  if (before && last && last.offset !== before.offset - 1) return `${where} ends elsewhere`;
  if (before && !last && before.offset - 1 > trimmedTo) return `${where} is empty`;
  if (!isFresh || channel.forks !== asked.forks) return undefined;
  const endsAt = last?.offset ?? after?.offset ?? trimmedTo;
  if (!before && (after ? !more : true) && endsAt < headOffset) return `${where} ends before ${headOffset}`;
  if (!after && first && !more && first.offset - 1 > trimmedTo) return `${where} begins behind ${trimmedTo}`;
  return undefined;
}

/** What is wrong with the answer that the position cannot be used. */
export function refuteReason(
  channel: ChannelLedger,
  asked: Asked,
  reason: ResetReason | undefined,
): string | undefined {
  const position = asked.after ?? asked.before;
  const isJustified =
    position !== undefined &&
    reason !== undefined &&
    channel.justifies(reason, position, channel.forksBefore(position) ?? 0);
  return isJustified ? undefined : `history ${JSON.stringify(asked)} was answered ${reason}`;
}
