/** Which connection subscribes to which channels at which gateway: the part of a load that chance decides. */
import { seededRandom } from '../random.js';

/** The load that a fleet of gateways has to carry. */
export interface Load {
  readonly gateways: number;
  /** How many Redis masters there are. They have equal shares of the slots. */
  readonly masters: number;
  /**
   * How many connections there are. They are spread evenly over the gateways, as by a proxy that goes by least
   * connections.
   */
  readonly connections: number;
  readonly channels: number;
  /** On how many different channels each connection is. */
  readonly channelsPerConnection: number;
  /**
   * Popularity of channels by Zipf's law: the channel of rank r is chosen in proportion to r^-skew. 0: all are alike.
   */
  readonly skew: number;
  /** Messages per second on all channels together, published through the gateways in turn. */
  readonly messagesPerSecond: number;
  /**
   * How rates go with popularity: a channel's share of the messages is popularity^publishSkew. 0: all are alike; 1: as
   * their popularity.
   */
  readonly publishSkew: number;
}

/**
 * Number of virtual shards to which channels are hashed, as Fanfare has it; a test compares the hash with the
 * gateway's.
 */
const SHARDS = 256;
const SLOTS = 16_384;

/** The popularity of each channel, by rank: shares that sum up to 1. */
export function popularity({ channels, skew }: Pick<Load, 'channels' | 'skew'>): Float64Array {
  return normalized(Float64Array.from({ length: channels }, (_, rank) => (rank + 1) ** -skew));
}

/** Messages per second of each channel, by rank. */
export function publishRates(load: Load, popularities = popularity(load)): Float64Array {
  const shares = normalized(popularities.map((share) => share ** load.publishSkew));
  return shares.map((share) => share * load.messagesPerSecond);
}

function normalized(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Makes a function that draws ranks by the given shares. Each draw has the same small cost, because millions are drawn.
 */
export function sampler(shares: Float64Array, random: () => number): () => number {
  let sum = 0;
  const ends = shares.map((share) => {
    sum += share;
    return sum;
  });
  const last = ends.length - 1;
  // For each of many equal steps of the sum, the rank in which the step begins: from there the search is short.
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

/** The gateway and the channels of one connection after another, by rank. The same seed gives the same result. */
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

/**
 * What is known about the channels, whatever the fleet. It takes longer to make than to simulate a fleet, so it is made
 * once.
 */
export interface Population {
  readonly shares: Float64Array;
  readonly rates: Float64Array;
  /** The virtual shard of each channel, by rank. */
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

/** The master of each virtual shard, by the slots of a cluster. */
export function mastersOfShards(masters: number): readonly number[] {
  return slots.map((slot) => Math.floor((slot * masters) / SLOTS));
}

/** The virtual shard of a channel: 32-bit FNV-1a of its name, modulo the number of shards. */
export function shardOf(channel: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < channel.length; at++) hash = Math.imul(hash ^ channel.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

const slots = Array.from({ length: SHARDS }, (_, shard) => crc16(`s${shard}`) % SLOTS);

/** CRC16/XMODEM, by which Redis Cluster hashes what is between the braces of a key. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}
