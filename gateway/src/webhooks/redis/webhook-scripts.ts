/** The Lua scripts of the webhook queue as typed functions; nothing else names one. */
import { readFileSync } from 'node:fs';
import { webhookKeys } from '../../redis/keys.js';
import { createScript, type Script } from '../../redis/script.js';
import type { ShardCommands } from '../../redis/shard-commands.js';
import { BATCH_EVENTS } from '../event-queue.js';
import type { EventJson } from '../events.js';

function load(file: string): Script {
  return createScript(readFileSync(new URL(file, import.meta.url), 'utf8'));
}

const takeScript = load('webhook-take.lua');
const doneScript = load('webhook-done.lua');
const replayScript = load('webhook-replay.lua');

export const WEBHOOK_SCRIPTS: readonly Script[] = [takeScript, doneScript, replayScript];

/** About how many dead letters a shard keeps. */
const MAX_DEAD_LETTERS = 10_000;

/** An event with its place in the queue. */
interface QueueEntry {
  /** The ID of its stream entry: `<ms>-<number>`, where `ms` is the time at which it was added. */
  readonly id: string;
  readonly event: EventJson;
}

export interface DeadLetter extends QueueEntry {
  readonly why: string;
}

/** Adds an event. If the queue holds more than about `maxEvents`, the oldest events are dropped. */
export async function addEvent(commands: ShardCommands, shard: number, event: EventJson, maxEvents: number) {
  const { queue } = webhookKeys(shard);
  await commands.send(shard, ['XADD', queue, 'MAXLEN', '~', maxEvents, '*', 'e', event], { isIdempotent: false });
}

/** Takes events at the head of the queue, for this gateway to send; `undefined` if another gateway is sending. */
export async function takeEvents(
  commands: ShardCommands,
  shard: number,
  gateway: string,
  leaseMs: number,
): Promise<readonly QueueEntry[] | undefined> {
  const { queue, sender } = webhookKeys(shard);
  const reply = await commands.run(shard, takeScript, [queue, sender], [gateway, leaseMs, BATCH_EVENTS], {
    isIdempotent: true,
  });
  if (reply === 0) return undefined;
  return (reply as [Buffer, [Buffer, Buffer]][]).map(([id, [, event]]) => ({ id: String(id), event: String(event) }));
}

/** Takes events off the queue. @param why the reason why they become dead letters; absent if they were sent */
export async function settleEvents(
  commands: ShardCommands,
  shard: number,
  gateway: string,
  ids: readonly string[],
  why = '',
): Promise<boolean> {
  const { queue, sender, dead } = webhookKeys(shard);
  const args = [gateway, why, MAX_DEAD_LETTERS, ...ids];
  return (await commands.run(shard, doneScript, [queue, sender, dead], args, { isIdempotent: true })) === 1;
}

/** How many events wait in the queue. */
export async function queueLength(commands: ShardCommands, shard: number): Promise<number> {
  return (await commands.send(shard, ['XLEN', webhookKeys(shard).queue], { isIdempotent: true })) as number;
}

export async function deadLetters(
  commands: ShardCommands,
  shard: number,
  limit: number,
): Promise<readonly DeadLetter[]> {
  const { dead } = webhookKeys(shard);
  const reply = await commands.send(shard, ['XRANGE', dead, '-', '+', 'COUNT', limit], { isIdempotent: true });
  return (reply as [Buffer, Buffer[]][]).map(([id, fields]) => ({
    id: String(id),
    event: String(fields[1]),
    why: String(fields[3]),
  }));
}

/** Puts dead letters back into the queue, or throws them away. Resolves with how many they were. */
export async function settleDeadLetters(
  commands: ShardCommands,
  shard: number,
  what: 'replay' | 'drop',
  ids: readonly string[],
): Promise<number> {
  const { queue, dead } = webhookKeys(shard);
  const reply = await commands.run(shard, replayScript, [queue, dead], [what, ...ids], { isIdempotent: false });
  return reply as number;
}
