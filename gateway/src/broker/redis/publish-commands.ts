/** What is sent for a batch of one channel, and what the replies to it mean. */
import type { Published } from '../broker.js';
import { encodeRecord } from '../record-codec.js';
import { pushName } from './keys.js';
import type { Publish, PublishLane } from './publish-lane.js';
import type { Command } from './publish-link.js';
import { parsePublishReply, publishArguments, publishScript } from './scripts.js';

/** How many replicas a replicated publish asks for. */
const REPLICAS = 1;

/** Durable: one script; its reply is the last one. */
export function storeCommands(lane: PublishLane, batch: readonly Publish[], idempotencyMs: number): Command[] {
  const args = publishArguments(lane.channel, batch, idempotencyMs);
  const command: Command = lane.needsScript
    ? ['EVAL', publishScript.source, ...args]
    : ['EVALSHA', publishScript.sha, ...args];
  return lane.asked ? [['ASKING'], command] : [command];
}

/** Live: one push for each message. */
export function pushCommands({ channel }: PublishLane, batch: readonly Publish[], timeMs: number): Command[] {
  const name = pushName(channel.name);
  return batch.map(({ body }) => ['SPUBLISH', name, encodeRecord({ epoch: 0, offset: 0 }, timeMs, body)]);
}

/** Its reply tells how many replicas have everything that was sent before it on the same connection. */
export function waitCommand(timeoutMs: number): Command {
  return ['WAIT', REPLICAS, timeoutMs];
}

/** @param acknowledged the reply to `waitCommand`, if there was one */
export async function settleStored(
  batch: readonly Publish[],
  reply: unknown,
  acknowledged: Promise<unknown> | undefined,
): Promise<void> {
  const reached = acknowledged && reachedBy(await acknowledged);
  for (const [i, { position, duplicate }] of parsePublishReply(reply).entries()) {
    batch[i]?.settle({ position, ...(duplicate && { duplicate }), ...reached });
  }
}

/** An error in place of the count (the master was demoted, the connection cut) acknowledges nothing. */
function reachedBy(count: unknown): Pick<Published, 'replicas' | 'durability'> {
  const replicas = typeof count === 'number' ? count : 0;
  return { replicas, durability: replicas >= REPLICAS ? 'replicated' : 'stored' };
}
