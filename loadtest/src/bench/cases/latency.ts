import type { Lane } from '../../generators/lane.js';
import type { CpuShares } from '../../report/cpu.js';
import { percentile } from '../../report/statistics.js';
import { runPaced } from './paced.js';

interface LatencyCase {
  readonly messagesPerSecond: number;
  /** Size of a payload, bytes. */
  readonly size: number;
}

interface LatencyResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpu: CpuShares;
}

/**
 * Measures latencies at an even pace, from before the write of a publish. All subscribers of the lane must be prompt.
 * Rejects unless every subscriber has received every message.
 */
export async function runLatency(
  lane: Lane,
  { messagesPerSecond, size }: LatencyCase,
  isOver: (elapsedMs: number) => boolean,
): Promise<LatencyResult> {
  const { published, latencies, cpu } = await runPaced(lane, { messagesPerSecond, size, from: 'write' }, isOver);
  await lane.check(published, 0);
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), cpu };
}
