/** What processes have spent so far. The counters of processes change little on a busy machine, unlike the clock. */
import { readdirSync, readFileSync } from 'node:fs';
import type { RedisNode } from '../topology/redis-servers.js';

/** CPU time, us, and other counters. What Redis spent is that of all masters together. */
export interface Spent {
  readonly seconds: number;
  readonly gatewaysUs: readonly number[];
  /** How often each gateway slept until something came. */
  readonly gatewaysWakeups: readonly number[];
  readonly redisUs: number;
  readonly redisOutputBytes: number;
}

/** Begins to count. The result returns what was spent since then. */
export async function watchSpent(
  pids: readonly number[],
  masters: readonly Pick<RedisNode, 'client'>[],
): Promise<() => Promise<Spent>> {
  const before = await read(pids, masters);
  return async () => {
    const after = await read(pids, masters);
    return {
      seconds: (after.atMs - before.atMs) / 1000,
      gatewaysUs: after.gatewaysUs.map((one, index) => one - (before.gatewaysUs[index] as number)),
      gatewaysWakeups: after.gatewaysWakeups.map((one, index) => one - (before.gatewaysWakeups[index] as number)),
      redisUs: after.redisUs - before.redisUs,
      // The first answer was written after it had been counted.
      redisOutputBytes: after.redisOutputBytes - before.redisOutputBytes - before.answerBytes,
    };
  };
}

async function read(pids: readonly number[], masters: readonly Pick<RedisNode, 'client'>[]) {
  const answers = await Promise.all(
    masters.map(({ client }) => client.call('INFO', 'cpu', 'stats') as Promise<string>),
  );
  const sum = (figureOf: (answer: string) => number) => answers.reduce((total, one) => total + figureOf(one), 0);
  return {
    atMs: performance.now(),
    gatewaysUs: pids.map(cpuUs),
    gatewaysWakeups: pids.map(wakeups),
    redisUs: sum((answer) => (figure(answer, 'used_cpu_sys') + figure(answer, 'used_cpu_user')) * 1e6),
    redisOutputBytes: sum((answer) => figure(answer, 'total_net_output_bytes')),
    answerBytes: sum((answer) => Buffer.byteLength(answer)),
  };
}

function figure(answer: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(answer)?.[1]);
}

/** Returns the CPU time of all threads that live, us, as exact as the scheduler counts. */
function cpuUs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`${folder}/${thread}/schedstat`, 'latin1').split(' ');
    return sum + Number(nanoseconds) / 1000;
  }, 0);
}

/**
 * Returns how often the main thread, which runs the event loop, gave up its core by itself. It does that when it waits.
 */
function wakeups(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
}
