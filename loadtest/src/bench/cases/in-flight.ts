import type { Lane } from '../../generators/lane.js';
import { type CpuShares, watchCpu } from '../../report/cpu.js';

interface InFlightCase {
  /** How many messages are under way: those that not every prompt subscriber has received yet. */
  readonly inFlight: number;
  /** Size of a payload, bytes. */
  readonly size: number;
  /** How long the messages in flight may take, ms. Default: ten seconds. */
  readonly stallMs?: number;
}

export interface InFlightResult {
  readonly deliveriesPerSecond: number;
  readonly messagesPerRead: number;
  /** CPU time of the server for each message, us, without that of Redis. */
  readonly cpuMicrosPerMessage: number;
  readonly cpu: CpuShares;
}

const STALL_MS = 10_000;

/**
 * Publishes as users do, one message a frame or request, and keeps a fixed number of messages in flight: for each one that all
 * prompt subscribers have received, the next one follows. The prompt subscribers are spread evenly over all of them.
 * Rejects unless every subscriber has received every message.
 */
export async function runInFlight(
  lane: Lane,
  { inFlight, size, stallMs = STALL_MS }: InFlightCase,
  durationMs: number,
): Promise<InFlightResult> {
  const { prompt } = lane;
  await lane.reset();
  let published = 0;
  const cpu = watchCpu(lane.contender.server);
  const cpuBegin = lane.contender.server.cpuMs();
  const begin = performance.now();
  const proceed = () => {
    const received = prompt.readers.reduce((least, { messages }) => Math.min(least, messages), published);
    if (performance.now() - begin >= durationMs) return received === published;
    const count = received + inFlight - published;
    if (count > 0) {
      published += count;
      lane.publish(count, size);
    }
    return false;
  };
  await lane.run(proceed, durationMs + stallMs);
  const elapsedMs = performance.now() - begin;
  const shares = cpu();
  const cpuMs = lane.contender.server.cpuMs() - cpuBegin;
  await lane.check(published, stallMs);
  return {
    deliveriesPerSecond: (published * lane.subscribers * 1000) / elapsedMs,
    messagesPerRead: lane.messagesPerRead,
    cpuMicrosPerMessage: (cpuMs * 1000) / published,
    cpu: shares,
  };
}
