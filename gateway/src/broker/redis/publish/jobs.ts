import type { Command } from '../../../redis/resp.js';
import { pushCommands, storeCommands } from './commands.js';
import type { Batch, PublishLane } from './lane.js';

/** Batches that are sent together. */
export interface Job {
  readonly batches: readonly Batch[];
  readonly commands: readonly Command[];
  /**
   * For each publish of a live batch, the index of the command whose reply answers it; `undefined` for durable batches.
   */
  readonly ends: readonly number[] | undefined;
}

interface JobOptions {
  /** Whether a script call may name keys of one slot only, as in a cluster. */
  readonly isCluster: boolean;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** The time with which live messages are stamped, ms since the Unix epoch. */
  readonly timeMs: number;
}

/** Most channels of one script call, which must not hold up Redis for long. */
const MAX_CALL_CHANNELS = 128;
const MAX_CALL_BYTES = 256 * 1024;

/** Takes a batch of each lane, and joins those that can go in one script call. */
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
