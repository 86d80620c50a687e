/** What is alive: this gateway, or all gateways together. */

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
  /** Names begin with this; `''` for all. */
  readonly prefix: string;
  /** Names behind this one, in the order of their code units; `''` for all. */
  readonly after: string;
  /** Most channels, at least 1. */
  readonly limit: number;
}

/** What the gateways that answered in time know. */
export interface FleetAnswer {
  /** Nodes that are known and did not answer in time, or are too old to know the question. */
  readonly missing: readonly string[];
}

export interface ChannelsAnswer extends FleetAnswer {
  /** Those with subscribers, by name. */
  readonly channels: readonly ChannelInfo[];
  readonly more: boolean;
}

export interface NodesAnswer extends FleetAnswer {
  /** By name. */
  readonly nodes: readonly NodeInfo[];
}

/** What all gateways answered to one question. */
export interface Shares<Share> extends FleetAnswer {
  readonly shares: readonly Share[];
}

/** Has a question answered, or something done, by every gateway: those who answer it have registered for it. */
export interface Assembly {
  /** @param handle what this gateway does for it, at once; both its sides are plain JSON. A question has one handler. */
  answer<Query, Share extends object>(question: string, handle: (query: Query) => Share): void;
  /**
   * Asks all gateways, this one included and first.
   * @throws {FanfareError} where no other gateway is known and none can be reached: then only this one was
   */
  ask<Query extends object, Share extends object>(question: string, query: Query): Promise<Shares<Share>>;
}

/** All gateways over one broker. No method rejects. */
export interface Fleet {
  channels(query: ChannelsQuery): Promise<ChannelsAnswer>;
  nodes(): Promise<NodesAnswer>;
}

/** One gateway's share of an answer, or of several ones put together. */
export type ChannelsPage = Omit<ChannelsAnswer, 'missing'>;

/** The channels that a query asks for, of one gateway. */
export function selectChannels(channels: Iterable<ChannelInfo>, { prefix, after, limit }: ChannelsQuery): ChannelsPage {
  const found: ChannelInfo[] = [];
  for (const one of channels) {
    if (one.subscribers > 0 && one.channel > after && one.channel.startsWith(prefix)) found.push(one);
  }
  return firstOf(found, limit, false);
}

/**
 * Adds up the pages of several gateways. Each holds the first `limit` names of its own, so that the first
 * `limit` names of all are among them.
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
