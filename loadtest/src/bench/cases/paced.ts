import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '../../generators/lane.js';
import { type CpuShares, watchCpu } from '../../report/cpu.js';

interface Pace {
  readonly messagesPerSecond: number;
  /** Size of a payload, bytes. */
  readonly size: number;
  /** A latency counts from when the message was due, or from before it was written. */
  readonly from: 'due' | 'write';
}

export interface PacedResult {
  readonly published: number;
  /** Latencies of the deliveries to prompt subscribers, ms, ascending. */
  readonly latencies: Float64Array;
  /** How many of them came within {@link LATE_MS} after the last publish. */
  readonly onTime: number;
  /** From the first publish to the last delivery to a prompt subscriber. */
  readonly elapsedMs: number;
  readonly messagesPerRead: number;
  readonly cpu: CpuShares;
}

/** How long after the last publish a delivery is on time, ms. */
export const LATE_MS = 1_000;
const DRAIN_MS = 5_000;

/**
 * Publishes messages one by one at an even pace, until `isOver` says so, and then waits until all prompt subscribers of
 * the lane have received all, or for five seconds. The lane must have one publisher. Publisher and subscribers are one
 * process with one clock: a latency ends after the read by one subscriber. Whatever went wrong is the lane's to tell.
 */
export async function runPaced(
  lane: Lane,
  { messagesPerSecond, size, from }: Pace,
  isOver: (elapsedMs: number) => boolean,
): Promise<PacedResult> {
  const { prompt } = lane;
  await lane.reset();
  const begunAt: number[] = [];
  const latencies: number[] = [];
  let lastAt = performance.now();
  prompt.onProgress = (reader, count) => {
    lastAt = performance.now();
    for (let i = reader.messages - count; i < reader.messages; i++) latencies.push(lastAt - (begunAt[i] as number));
  };
  const cpu = watchCpu(lane.contender.server);
  const begin = performance.now();
  const dueAt = (index: number) => begin + (index * 1000) / messagesPerSecond;
  for (let now = begin; !isOver(now - begin); now = performance.now()) {
    const first = begunAt.length;
    while (dueAt(begunAt.length) <= now) begunAt.push(from === 'due' ? dueAt(begunAt.length) : now);
    if (begunAt.length > first) lane.publish(begunAt.length - first, size);
    await sleep(dueAt(begunAt.length) - performance.now());
  }
  const published = begunAt.length;
  const expected = published * prompt.readers.length;
  const endedAt = performance.now();
  let onTime = 0;
  for (let now = endedAt; now < endedAt + DRAIN_MS; now = performance.now()) {
    if (now < endedAt + LATE_MS) onTime = latencies.length;
    if (latencies.length >= expected || lane.fault) break;
    await sleep(5);
  }
  prompt.onProgress = () => {};
  return {
    published,
    latencies: Float64Array.from(latencies).sort(),
    onTime,
    elapsedMs: lastAt - begin,
    messagesPerRead: lane.messagesPerRead,
    cpu: cpu(),
  };
}
