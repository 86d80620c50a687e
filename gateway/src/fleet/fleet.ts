/** What is known about the gateways that are alive and their channels: the port between the gateways. */

export interface ChannelInfo {
  readonly channel: string;
  readonly subscribers: number;
}

export interface NodeInfo {
  readonly node: string;
  readonly version: string;
  readonly connections: number;
  readonly uptimeMs: number;
}

export interface ChannelsQuery {
  /** Only names that begin with this; `''` for all. */
  readonly prefix: string;
  /** Only names behind this one, in the order of their UTF-16 code units; `''` for all. */
  readonly after: string;
  /** Most channels, at least 1. */
  readonly limit: number;
}

/** What the gateways that answered in time know. */
export interface FleetAnswer {
  /** Names of gateways that are known but did not answer in time, or are too old to know the question. */
  readonly missing: readonly string[];
}

export interface ChannelsAnswer extends FleetAnswer {
  /** The channels with subscribers, in the order of their names. */
  readonly channels: readonly ChannelInfo[];
  readonly more: boolean;
}

export interface NodesAnswer extends FleetAnswer {
  /** The gateways that answered, in the order of their names. */
  readonly nodes: readonly NodeInfo[];
}

/** What all gateways answered to one question. */
export interface Shares<Share> extends FleetAnswer {
  readonly shares: readonly Share[];
}

/** Has a question answered, or something done, by every gateway. Whoever can answer a question registers for it. */
export interface Assembly {
  /**
   * @param handle makes this gateway's answer, synchronously; question and answer are plain JSON. A question has one
   * handler.
   */
  answer<Query, Share extends object>(question: string, handle: (query: Query) => Share): void;
  /**
   * Asks all gateways, this one first.
   * @throws {FanfareError} if no other gateway is known and none can be reached; only this one has answered then
   */
  ask<Query extends object, Share extends object>(question: string, query: Query): Promise<Shares<Share>>;
}

/** All gateways over one broker. No method rejects. */
export interface Fleet {
  channels(query: ChannelsQuery): Promise<ChannelsAnswer>;
  nodes(): Promise<NodesAnswer>;
}

/** A page of channels: the answer of one gateway, or those of several gateways put together. */
export type ChannelsPage = Omit<ChannelsAnswer, 'missing'>;

/** Selects the channels of one gateway that a query asks for. */
export function selectChannels(channels: Iterable<ChannelInfo>, { prefix, after, limit }: ChannelsQuery): ChannelsPage {
  const found: ChannelInfo[] = [];
  for (const one of channels) {
    if (one.subscribers > 0 && one.channel > after && one.channel.startsWith(prefix)) found.push(one);
  }
  return firstOf(found, limit, false);
}

/**
 * Adds up the pages of several gateways. Each page holds the first `limit` names of its gateway, so the first `limit`
 * names of all gateways are among them.
 */
export function mergeChannels(pages: readonly ChannelsPage[], limit: number): ChannelsPage {
  const sums = new Map<string, number>();
  for (const { channels } of pages) {
    for (const { channel, subscribers } of channels) sums.set(channel, (sums.get(channel) ?? 0) + subscribers);
  }
  const all = Array.from(sums, ([channel, subscribers]) => ({ channel, subscribers }));
  return firstOf(
    all,
    limit,
    pages.some(({ more }) => more),
  );
}

function firstOf(channels: ChannelInfo[], limit: number, isCut: boolean): ChannelsPage {
  channels.sort((a, b) => (a.channel < b.channel ? -1 : 1));
  return { channels: channels.slice(0, limit), more: isCut || channels.length > limit };
}
