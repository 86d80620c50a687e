import type { Lane } from '../../generators/lane.js';
import { type CpuShares, watchCpu } from '../../report/cpu.js';

interface FanoutCase {
  /** How many messages are published at once. */
  readonly burst: number;
  /** Size of a payload, bytes. */
  readonly size: number;
}

export interface FanoutResult {
  readonly deliveriesPerSecond: number;
  readonly messagesPerRead: number;
  readonly cpu: CpuShares;
}

/** How long a burst may take, ms. One that takes longer has lost something. */
const STALL_MS = 10_000;

/**
 * Publishes bursts until `durationMs` are over. The next one follows when the prompt subscribers, which are spread
 * evenly over all of them, have received the one before. So the server never idles, and bursts leave one by one.
 * Rejects unless every subscriber has received every message.
 */
export async function runFanout(lane: Lane, { burst, size }: FanoutCase, durationMs: number): Promise<FanoutResult> {
  const { prompt } = lane;
  await lane.reset();
  let published = 0;
  const cpu = watchCpu(lane.contender.server);
  const begin = performance.now();
  const proceed = () => {
    if (prompt.received < published * prompt.readers.length) return false;
    if (performance.now() - begin >= durationMs) return true;
    published += burst;
    lane.publish(burst, size);
    return false;
  };
  await lane.run(proceed, durationMs + STALL_MS);
  const elapsedMs = performance.now() - begin;
  const shares = cpu();
  await lane.check(published, STALL_MS);
  return {
    deliveriesPerSecond: (published * lane.subscribers * 1000) / elapsedMs,
    messagesPerRead: lane.messagesPerRead,
    cpu: shares,
  };
}
