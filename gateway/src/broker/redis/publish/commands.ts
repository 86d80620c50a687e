/** What is sent for batches of messages, and what the replies mean. */

import { type Command, CommandWriter, command } from '../../../redis/resp.js';
import type { Script } from '../../../redis/script.js';
import type { ReplicasReached } from '../../broker.js';
import { encodePush, encodeRecord } from '../../record-codec.js';
import { type Appended, parsePublishReply, publishFlags, publishScript, pushScript } from '../scripts/scripts.js';
import type { Batch, Publish } from './lane.js';

const ASKING = command('ASKING');

/**
 * The commands that store batches of durable messages: one script call for all of them. The last reply is that of the
 * call.
 */
export function storeCommands(batches: readonly Batch[], idempotencyMs: number): Command[] {
  let keys = 0;
  for (const { lane, publishes } of batches) {
    keys += lane.keys.count;
    for (const { key } of publishes) if (key !== undefined) keys++;
  }
  const { needsScript, isAsked } = batches[0] as Batch;
  const writer = call(publishScript, needsScript, keys);
  for (const { lane, publishes } of batches) {
    writer.addEncoded(lane.keys);
    for (const { key } of publishes) if (key !== undefined) writer.add(lane.idempotency + key);
  }
  writer.add(idempotencyMs);
  for (const { lane, publishes } of batches) {
    writer.addEncoded(lane.settings).add(publishFlags(publishes));
    for (const { body } of publishes) writer.add(body);
  }
  const store = writer.command(nameOf(needsScript));
  return isAsked ? [ASKING, store] : [store];
}

/** A command for live messages, and how many of the batch it is for. */
interface LivePush {
  readonly commands: readonly Command[];
  readonly messages: number;
}

/**
 * The commands that push a batch of live messages: one push for messages in a row without keys, and a script call for
 * each message with a key.
 */
export function pushCommands(
  { lane, publishes, isAsked, needsScript }: Batch,
  timeMs: number,
  idempotencyMs: number,
): LivePush[] {
  const pushes: LivePush[] = [];
  let row: Buffer[] = [];
  const endRow = () => {
    if (row.length > 0)
      pushes.push({ commands: [command('SPUBLISH', lane.push, encodePush(row))], messages: row.length });
    row = [];
  };
  for (const { body, key } of publishes) {
    const record = encodeRecord({ epoch: 0, offset: 0 }, timeMs, body);
    if (key === undefined) {
      row.push(record);
      continue;
    }
    endRow();
    const push = call(pushScript, needsScript, 1)
      .add(lane.idempotency + key)
      .add(lane.push)
      .add(idempotencyMs)
      .add(record)
      .command(nameOf(needsScript));
    pushes.push({ commands: isAsked ? [ASKING, push] : [push], messages: 1 });
  }
  endRow();
  return pushes;
}

function call({ source, sha }: Script, needsScript: boolean, keys: number): CommandWriter {
  return new CommandWriter().add(needsScript ? source : sha).add(keys);
}

function nameOf(needsScript: boolean): string {
  return needsScript ? 'EVAL' : 'EVALSHA';
}

/** WAIT. Its reply says how many replicas have everything that was sent before it on the same connection. */
export function waitCommand(replicas: number, timeoutMs: number): Command {
  return command('WAIT', replicas, timeoutMs);
}

export const REPLICATION_INFO = command('INFO', 'replication');

/** What became of each batch, read from the reply of the script call: what was appended, or why nothing was. */
export function readStored(reply: unknown, batches: readonly Batch[]): (readonly Appended[] | Error)[] {
  if (reply instanceof Error) return batches.map(() => reply);
  const groups = parsePublishReply(reply);
  return batches.map((_, i) => groups[i] ?? new Error('the publish script gave no answer'));
}

/** @param reached what replicas have of the messages, if that was asked for */
export function settleStored(
  publishes: readonly Publish[],
  appended: readonly Appended[],
  reached: ReplicasReached | undefined,
): void {
  for (let i = 0; i < publishes.length; i++) {
    const { position, duplicate } = appended[i] as Appended;
    const { settle } = publishes[i] as Publish;
    if (duplicate || reached) settle({ position, ...(duplicate && { duplicate }), ...(reached && { reached }) });
    else settle({ position });
  }
}
