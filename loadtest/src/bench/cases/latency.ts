import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '../../generators/lane.js';
import { type CpuShares, watchCpu } from '../../report/cpu.js';
import { percentile } from '../../report/statistics.js';

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

const DRAIN_MS = 5_000;

/**
 * Publishes messages one by one at an even pace. Publisher and subscribers are one process with one clock: a latency is
 * the time from before the write of the publish until after the read by one subscriber. All subscribers of the lane
 * must be prompt.
 * Rejects unless every subscriber has received every message.
 */
export async function runLatency(
  lane: Lane,
  { messagesPerSecond, size }: LatencyCase,
  durationMs: number,
): Promise<LatencyResult> {
  const { prompt } = lane;
  await lane.reset();
  const messages = Math.round((durationMs * messagesPerSecond) / 1000);
  const samples = new Float32Array(messages * prompt.readers.length);
  const publishedAt = new Float64Array(messages);
  let taken = 0;
  prompt.onProgress = (reader, count) => {
    const now = performance.now();
    for (let i = reader.messages - count; i < reader.messages; i++) samples[taken++] = now - (publishedAt[i] as number);
  };
  const cpu = watchCpu(lane.contender.server);
  const begin = performance.now();
  for (let i = 0; i < messages; i++) {
    const due = begin + (i * 1000) / messagesPerSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    publishedAt[i] = performance.now();
    lane.publish(1, size);
  }
  const deadline = performance.now() + DRAIN_MS;
  while (taken < samples.length && performance.now() < deadline) await sleep(5);
  const shares = cpu();
  await lane.check(messages, 0);
  samples.sort();
  return { p50Ms: percentile(samples, 0.5), p99Ms: percentile(samples, 0.99), cpu: shares };
}
