import type { Lane } from '../../generators/lane.js';
import type { CpuShares } from '../../report/cpu.js';
import { percentile } from '../../report/statistics.js';
import { endIf } from '../pairs.js';
import { LATE_MS, type PacedResult, runPaced } from './paced.js';

interface Climb {
  /** Length of a step, ms. */
  readonly stepMs: number;
  /** The rates of steps go no higher, messages a second. */
  readonly highestRate: number;
}

export interface Climbed {
  /** The last rate that was sustained, messages a second; 0 if there was none. */
  readonly rate: number;
  /** The 99th percentile of the latencies at that rate, ms. */
  readonly p99Ms: number;
  readonly messagesPerRead?: number;
  readonly cpu?: CpuShares;
  /** Deliveries a second at the rate that was not sustained; NaN if all were. */
  readonly overloadedPerSecond: number;
}

const FIRST_RATE = 500;
const RISE = 1.5;
const DELIVERED_SHARE = 0.9;
const STALL_MS = 10_000;

/**
 * Publishes at a rate that does not wait for anything and is raised by half after each step. A rate is sustained if 99 %
 * of the deliveries take at most a second, counted from when the message was due, and if no more than a tenth is
 * missing a second after the last publish.
 * Rejects unless every subscriber has received every message of a rate that was sustained. What is published at the
 * rate that was not may be refused or skipped, and subscribers may be dropped.
 */
export async function climb(
  lane: Lane,
  size: number,
  { stepMs, highestRate }: Climb,
  signal: AbortSignal,
): Promise<Climbed> {
  let last: Climbed = { rate: 0, p99Ms: Number.NaN, overloadedPerSecond: Number.NaN };
  for (let rate = FIRST_RATE; rate <= highestRate; rate *= RISE) {
    endIf(signal);
    const step = await runPaced(
      lane,
      { messagesPerSecond: rate, size, from: 'due' },
      (elapsedMs) => elapsedMs >= stepMs,
    );
    const p99Ms = percentile(step.latencies, 0.99);
    if (!isSustained(lane, step, p99Ms)) return { ...last, overloadedPerSecond: deliveriesPerSecond(lane, step) };
    await lane.check(step.published, STALL_MS);
    const { messagesPerRead, cpu } = step;
    last = { rate, p99Ms, messagesPerRead, cpu, overloadedPerSecond: Number.NaN };
  }
  return last;
}

function isSustained(lane: Lane, { published, latencies, onTime }: PacedResult, p99Ms: number): boolean {
  const expected = published * lane.prompt.readers.length;
  return !lane.fault && latencies.length === expected && onTime >= expected * DELIVERED_SHARE && p99Ms <= LATE_MS;
}

/** Prompt subscribers are spread evenly over all, so each stands for as many others. */
function deliveriesPerSecond({ subscribers, prompt }: Lane, { latencies, elapsedMs }: PacedResult): number {
  return (latencies.length * subscribers * 1000) / (prompt.readers.length * elapsedMs);
}
