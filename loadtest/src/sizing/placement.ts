/** Who subscribes to what, where: the part of a load that chance decides. */
import { seededRandom } from '../random.js';

/** What a fleet of gateways is to carry. */
export interface Load {
  readonly gateways: number;
  /** Redis masters, with equal shares of the slots. */
  readonly masters: number;
  /** Spread evenly over the gateways, as a proxy by least connections does. */
  readonly connections: number;
  readonly channels: number;
  /** Different channels that a connection is on. */
  readonly channelsPerConnection: number;
  /** Popularity by Zipf's law: the channel of rank r is chosen in proportion to r^-skew. 0: all alike. */
  readonly skew: number;
  /** Over all channels, published through the gateways in turn. */
  readonly messagesPerSecond: number;
  /** Rates go with popularity: a channel's share is popularity^publishSkew. 0: all alike; 1: as popularity. */
  readonly publishSkew: number;
}

/** Virtual shards that channels are hashed to, and slots of a cluster: fixed by Fanfare and by Redis. */
const SHARDS = 256;
const SLOTS = 16_384;

/** Shares of the channels by rank, which sum up to 1. */
export function popularity({ channels, skew }: Pick<Load, 'channels' | 'skew'>): Float64Array {
  return normalized(Float64Array.from({ length: channels }, (_, rank) => (rank + 1) ** -skew));
}

/** Messages a second of each channel, by rank. */
export function publishRates(load: Load, popularities = popularity(load)): Float64Array {
  const shares = normalized(popularities.map((share) => share ** load.publishSkew));
  return shares.map((share) => share * load.messagesPerSecond);
}

function normalized(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Draws ranks by the given shares, each draw at the same small cost: millions are drawn. */
export function sampler(shares: Float64Array, random: () => number): () => number {
  let sum = 0;
  const ends = shares.map((share) => {
    sum += share;
    return sum;
  });
  const last = ends.length - 1;
  // For each of equal steps of the sum, the rank that it begins in: from there the search is short.
  const begins = new Uint32Array(ends.length);
  for (let step = 1, rank = 0; step < begins.length; step++) {
    while (rank < last && (ends[rank] as number) <= (step / begins.length) * sum) rank++;
    begins[step] = rank;
  }
  return () => {
    const share = random();
    let rank = begins[Math.floor(share * begins.length)] as number;
    while (rank < last && (ends[rank] as number) <= share * sum) rank++;
    return rank;
  };
}

interface Placed {
  readonly gateway: number;
  readonly ranks: readonly number[];
}

/** The channels of each connection of a gateway in turn, by rank. The same seed gives the same. */
export function* placeConnections(load: Load, seed: number, shares = popularity(load)): Generator<Placed> {
  const draw = sampler(shares, seededRandom(seed));
  for (let connection = 0; connection < load.connections; connection++) {
    const ranks: number[] = [];
    while (ranks.length < Math.min(load.channelsPerConnection, load.channels)) {
      const rank = draw();
      if (!ranks.includes(rank)) ranks.push(rank);
    }
    yield { gateway: connection % load.gateways, ranks };
  }
}

export function channelName(rank: number): string {
  return `demo:${rank}`;
}

/** What channels are, wherever they are held: it takes longer to make than a fleet does to fill. */
export interface Population {
  readonly shares: Float64Array;
  readonly rates: Float64Array;
  /** Virtual shard of each. */
  readonly shards: Uint8Array;
}

export function populate(load: Load): Population {
  const shares = popularity(load);
  return {
    shares,
    rates: publishRates(load, shares),
    shards: Uint8Array.from({ length: load.channels }, (_, rank) => shardOf(channelName(rank))),
  };
}

/** The master of each virtual shard, as the slots of a cluster decide it. */
export function mastersOfShards(masters: number): readonly number[] {
  return slots.map((slot) => Math.floor((slot * masters) / SLOTS));
}

/** 32-bit FNV-1a of the name, modulo the virtual shards. */
export function shardOf(channel: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < channel.length; at++) hash = Math.imul(hash ^ channel.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

const slots = Array.from({ length: SHARDS }, (_, shard) => crc16(`s${shard}`) % SLOTS);

/** CRC16/XMODEM, by which Redis Cluster hashes what stands between braces. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}
