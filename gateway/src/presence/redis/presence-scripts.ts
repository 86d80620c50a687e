/** The Lua scripts of presence as typed functions; nothing else names one. */
import { readFileSync } from 'node:fs';
import { type PresenceKeys, presenceIndexKey, presenceLeasesKey, webhookKeys } from '../../redis/keys.js';
import type { CommandArgument } from '../../redis/resp.js';
import { createScript, type Script } from '../../redis/script.js';
import type { ShardCommands } from '../../redis/shard-commands.js';
import type { PresenceMember, PresencePage } from '../presence-store.js';

function load(file: string): Script {
  return createScript(readFileSync(new URL(file, import.meta.url), 'utf8'));
}

const updateScript = load('presence-update.lua');
const leaseScript = load('presence-lease.lua');
const forgetScript = load('presence-forget.lua');
const listScript = load('presence-list.lua');

export const PRESENCE_SCRIPTS: readonly Script[] = [updateScript, leaseScript, forgetScript, listScript];

/** A session that is to be put on a channel, or, without `member`, taken off it. */
export interface SessionUpdate {
  readonly session: string;
  readonly member?: string;
  /** The member, as a JSON object that is not empty. */
  readonly json?: string;
}

export interface UpdateCall {
  readonly keys: PresenceKeys;
  readonly channel: string;
  readonly gateway: string;
  /** Sharded pub/sub name on which changes of the channel's members are published. */
  readonly push: string;
  readonly by: 'own' | 'swept';
  readonly sessions: readonly SessionUpdate[];
  /** About how many webhook events may wait in the shard; 0: joins and leaves are no events. */
  readonly maxEvents: number;
}

/**
 * The name of a companion channel whose members are gateways, as `webhooks/occupancy.ts` makes it. The group is the
 * channel that it belongs to.
 */
const OCCUPANCY = /^ occupancy (.*)$/s;

/** The bytes before the payload of a pushed record: the format is JSON, and there are no fields. */
const BODY_PREFIX = Buffer.from([0, 0]);

/**
 * Puts sessions on a channel and takes others off. Resolves with whether it was done; it is not if the gateway's lease
 * does not hold.
 */
export async function updateSessions(commands: ShardCommands, call: UpdateCall): Promise<boolean> {
  const { keys, channel, gateway, push, by, sessions, maxEvents } = call;
  const occupied = OCCUPANCY.exec(channel)?.[1];
  const whose = occupied === undefined ? 'member' : 'channel';
  const args: CommandArgument[] = [push, BODY_PREFIX, channel, gateway, by, maxEvents, whose, occupied ?? channel];
  // Sessions to put on go first, so that a user who changes sessions neither leaves nor joins.
  const inOrder = [...sessions].sort((a, b) => Number(a.member === undefined) - Number(b.member === undefined));
  for (const { session, member = '', json = '' } of inOrder) args.push(session, member, json);
  const { members, names, own, index, leases } = keys;
  const { queue } = webhookKeys(keys.shard);
  const reply = await commands.run(keys.shard, updateScript, [members, names, own, index, leases, queue], args, {
    isIdempotent: true,
  });
  return reply !== -1;
}

export interface Lease {
  /** Whether what this gateway stored in the shard is still there. */
  readonly isHeld: boolean;
  /** Gateways whose leases are over. */
  readonly over: readonly string[];
}

export async function renewLease(
  commands: ShardCommands,
  shard: number,
  gateway: string,
  leaseMs: number,
): Promise<Lease> {
  const reply = await commands.run(shard, leaseScript, [presenceLeasesKey(shard)], [gateway, leaseMs], {
    isIdempotent: true,
  });
  const [held, ...over] = reply as [number, ...Buffer[]];
  return { isHeld: held === 1, over: over.map(String) };
}

/**
 * The gateways whose leases in the shard are over. In most shards there are no gateways, and then this is one cheap
 * question.
 */
export async function overdueGateways(commands: ShardCommands, shard: number): Promise<readonly string[]> {
  const someone = await commands.send(shard, ['EXISTS', presenceLeasesKey(shard)], { isIdempotent: true });
  return someone === 0 ? [] : (await renewLease(commands, shard, '', 0)).over;
}

/** Removes the lease of a gateway that has nothing left in the shard. */
export async function forgetGateway(commands: ShardCommands, shard: number, gateway: string): Promise<void> {
  const keys = [presenceLeasesKey(shard), presenceIndexKey(shard, gateway)];
  await commands.run(shard, forgetScript, keys, [gateway], { isIdempotent: true });
}

/** Some channels of the shard on which the gateway has sessions. */
export async function someChannels(
  commands: ShardCommands,
  shard: number,
  gateway: string,
  limit: number,
): Promise<readonly string[]> {
  const key = presenceIndexKey(shard, gateway);
  const reply = await commands.send(shard, ['SRANDMEMBER', key, limit], { isIdempotent: true });
  return (reply as Buffer[]).map(String);
}

/** All channels of the shard on which the gateway has sessions. */
export async function allChannels(commands: ShardCommands, shard: number, gateway: string): Promise<readonly string[]> {
  const reply = await commands.send(shard, ['SMEMBERS', presenceIndexKey(shard, gateway)], { isIdempotent: true });
  return (reply as Buffer[]).map(String);
}

/** The sessions that the gateway has stored on a channel. */
export async function storedSessions(commands: ShardCommands, keys: PresenceKeys): Promise<readonly string[]> {
  const reply = await commands.send(keys.shard, ['HKEYS', keys.own], { isIdempotent: true });
  return (reply as Buffer[]).map(String);
}

export async function listMembers(
  commands: ShardCommands,
  keys: PresenceKeys,
  after: string,
  limit: number,
): Promise<PresencePage> {
  const reply = await commands.run(keys.shard, listScript, [keys.members, keys.names], [after, limit + 1], {
    isIdempotent: true,
  });
  const [rev, count, ...entries] = reply as [Buffer, number, ...Buffer[]];
  return {
    members: entries.slice(0, limit).map(parseMember),
    count,
    rev: Number(rev.toString()),
    more: entries.length > limit,
  };
}

/** Reads a member as it is stored: `<sessions> <member as JSON>`. */
function parseMember(entry: Buffer): PresenceMember {
  const text = entry.toString();
  const space = text.indexOf(' ');
  return { ...(JSON.parse(text.slice(space + 1)) as PresenceMember), sessions: Number(text.slice(0, space)) };
}
