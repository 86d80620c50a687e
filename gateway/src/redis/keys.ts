/**
 * Every name Fanfare uses in Redis. Nothing else spells one.
 *
 * A channel belongs to a virtual shard `sN`, N = FNV-1a of its name modulo the shard count, and
 * every name of the channel carries the hash tag `{sN}`: they share a slot, and one SSUBSCRIBE can
 * name many channels of one shard.
 */

/**
 * Number of virtual shards of a deployment. It is fixed for the life of the deployment, and compared with what
 * `SHARD_COUNT_KEY` holds at each start.
 */
export const SHARD_COUNT = 256;

/** Key of the shard count with which this deployment was begun. It is in the slot of shard 0. */
export const SHARD_COUNT_KEY = 'ff:{s0}:shards';

/** Key of a hash of what was revoked, with a version that changes when the rest does. It is in the slot of shard 0. */
export const REVOCATIONS_KEY = 'ff:{s0}:revoked';

/** The names that one channel has in one database. All of them are in one slot. */
interface ChannelKeys {
  readonly shard: number;
  /** Stream: the log. IDs are `<epoch>-<offset>`, one field. */
  readonly log: string;
  /** String: head, lineage, replication id, as `scripts/include-log.lua` writes it. Outlives the log. */
  readonly meta: string;
  /** Sharded pub/sub channel; carries the records of the log as they are appended. */
  readonly push: string;
  /** Idempotency keys begin with this; the publisher's key follows. */
  readonly idempotency: string;
}

export function channelKeys(channel: string, db = 0): ChannelKeys {
  const shard = shardOf(channel);
  const tag = `ff:{s${shard}}`;
  return {
    shard,
    log: `${tag}:l:${channel}`,
    meta: `${tag}:m:${channel}`,
    push: pushName(channel, db),
    // The length is part of it, because channel `a:b` with key `c` would otherwise be channel `a` with key `b:c`.
    idempotency: `${tag}:i:${Buffer.byteLength(channel)}:${channel}:`,
  };
}

/** The keys under which one gateway finds and keeps the members of one channel. All of them are in one slot. */
export interface PresenceKeys {
  readonly shard: number;
  /** Hash: member -> number of sessions and the member as JSON; `rev` -> the last revision. */
  readonly members: string;
  /** Sorted set: the members in their order. */
  readonly names: string;
  /** Hash: session -> member, of this gateway's sessions. */
  readonly own: string;
  /** Set: channels of the shard on which this gateway has sessions. */
  readonly index: string;
  /** Hash: gateway -> the time until which its entries in this shard are valid. */
  readonly leases: string;
}

export function presenceKeys(channel: string, gateway: string): PresenceKeys {
  const shard = shardOf(channel);
  const tag = `ff:{s${shard}}`;
  return {
    shard,
    members: `${tag}:pm:${channel}`,
    names: `${tag}:pn:${channel}`,
    // A gateway's name here is a UUID, without a colon: no two pairs of it and a channel make one key.
    own: `${tag}:po:${gateway}:${channel}`,
    index: presenceIndexKey(shard, gateway),
    leases: presenceLeasesKey(shard),
  };
}

export function presenceIndexKey(shard: number, gateway: string): string {
  return `ff:{s${shard}}:pi:${gateway}`;
}

export function presenceLeasesKey(shard: number): string {
  return `ff:{s${shard}}:pl`;
}

/** The keys of one shard with events that wait to be sent by webhook. */
export function webhookKeys(shard: number) {
  const tag = `ff:{s${shard}}`;
  return {
    /** Stream: the events, in field `e` as JSON. */
    queue: `${tag}:w`,
    /** String: the gateway that sends now. */
    sender: `${tag}:ws`,
    /** Stream: events that were given up, with the reason in `why`. */
    dead: `${tag}:wd`,
  };
}

/**
 * Beginnings of the names of channels that gateways use beside a channel of clients: ` <kind> <channel>`. Such a
 * channel shares the slot of the other.
 */
const COMPANION = /^(?: (?:presence|occupancy) )+/;

/**
 * The virtual shard of a channel, 0 to `SHARD_COUNT` - 1: 32-bit FNV-1a of its name in UTF-8 (RFC 9923), modulo the
 * shard count.
 */
export function shardOf(channel: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(channel.charCodeAt(0) === 32 ? channel.replace(COMPANION, '') : channel))
    hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % SHARD_COUNT;
}

/**
 * The sharded pub/sub name of a channel. Pub/sub knows no databases, so the name says which one it belongs to, unless
 * that is 0.
 */
export function pushName(channel: string, db = 0): string {
  return `ff:{s${shardOf(channel)}}:c${db || ''}:${channel}`;
}

/** A sharded pub/sub name in the slot of this shard that belongs to no channel. */
export function probeName(shard: number): string {
  return `ff:{s${shard}}:probe`;
}

const SLOTS = 16384;
const slots = Array.from({ length: SHARD_COUNT }, (_, shard) => crc16(`s${shard}`) % SLOTS);

/** The Redis Cluster slot that holds a virtual shard (CRC16/XMODEM of its hash tag). */
export function slotOfShard(shard: number): number {
  return slots[shard] as number;
}

/** The virtual shard that lives in this slot of `SHARD_SLOTS`. */
export function shardIn(slot: number): number {
  return slots.indexOf(slot);
}

function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}
