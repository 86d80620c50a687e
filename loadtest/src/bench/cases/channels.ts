import type { Lane } from '../../generators/lane.js';
import { watchCpu } from '../../report/cpu.js';
import type { FanoutResult } from './fanout.js';

const STALL_MS = 20_000;

interface ChannelsCase {
  /** Size of a payload, bytes. */
  readonly size: number;
  /** How many messages are under way: those that one prompt subscriber of their channel has not received yet. */
  readonly inFlight: number;
}

/**
 * Publishes one message after another, each in a write of its own and each to the next channel, in whole rounds over
 * all channels until `durationMs` are over. One subscriber of every channel is read promptly, the others afterwards.
 * Rejects unless every subscriber has received every message.
 */
export async function runChannels(
  lane: Lane,
  { size, inFlight }: ChannelsCase,
  durationMs: number,
): Promise<FanoutResult> {
  const { prompt, bulk, channels } = lane;
  await lane.reset();
  bulk.sleep();
  let rounds = 1;
  let published = 0;
  const cpu = watchCpu(lane.contender.server);
  const begin = performance.now();
  const proceed = () => {
    if (published === rounds * channels.length && performance.now() - begin < durationMs) rounds++;
    const target = rounds * channels.length;
    while (published - prompt.received < inFlight && published < target) {
      published++;
      lane.publish(1, size);
    }
    return prompt.received === target;
  };
  await lane.run(proceed, durationMs + STALL_MS);
  const elapsedMs = performance.now() - begin;
  const shares = cpu();
  bulk.wake();
  await lane.check(rounds, STALL_MS);
  return {
    deliveriesPerSecond: (rounds * lane.subscribers * 1000) / elapsedMs,
    messagesPerRead: lane.messagesPerRead,
    cpu: shares,
  };
}
