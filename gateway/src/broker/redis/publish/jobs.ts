import type { Command } from '../../../redis/resp.js';
import { pushCommands, storeCommands } from './commands.js';
import type { Batch, PublishLane } from './lane.js';

/** Batches that are sent together. */
export interface Job {
  readonly batches: readonly Batch[];
  readonly commands: readonly Command[];
  /** Of one live batch: which of the commands answers for each publish. */
  readonly ends: readonly number[] | undefined;
}

interface JobOptions {
  /** A script call may name keys of one slot only. */
  readonly isCluster: boolean;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** What live messages are stamped with, ms since the Unix epoch. */
  readonly timeMs: number;
}

/** Of one script call for several channels: it must not hold up Redis for long. */
const MAX_CALL_CHANNELS = 128;
const MAX_CALL_BYTES = 256 * 1024;

/** Takes a batch of each lane, and puts those together that can go in one call. */
export function takeJobs(lanes: readonly PublishLane[], options: JobOptions): Job[] {
  const jobs: Job[] = [];
  const open = new Map<number, { batches: Batch[]; bytes: number }>();
  const close = (batches: readonly Batch[]) =>
    jobs.push({ batches, commands: storeCommands(batches, options.idempotencyMs), ends: undefined });
  for (const lane of lanes) {
    const { goesAlone } = lane;
    const batch = lane.begin();
    if (!lane.channel.durable) jobs.push(liveJob(batch, options));
    else if (goesAlone) close([batch]);
    else {
      const slot = options.isCluster ? lane.slot : 0;
      const bytes = batch.publishes.reduce((sum, { body }) => sum + body.length, 0);
      const call = open.get(slot);
      if (call && call.batches.length < MAX_CALL_CHANNELS && call.bytes + bytes <= MAX_CALL_BYTES) {
        call.batches.push(batch);
        call.bytes += bytes;
      } else {
        if (call) close(call.batches);
        open.set(slot, { batches: [batch], bytes });
      }
    }
  }
  for (const { batches } of open.values()) close(batches);
  return jobs;
}

function liveJob(batch: Batch, { timeMs, idempotencyMs }: JobOptions): Job {
  const commands: Command[] = [];
  const ends: number[] = [];
  for (const push of pushCommands(batch, timeMs, idempotencyMs)) {
    commands.push(...push.commands);
    for (let i = 0; i < push.messages; i++) ends.push(commands.length - 1);
  }
  return { batches: [batch], commands, ends };
}
