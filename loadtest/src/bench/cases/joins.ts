import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '@fanfare/protocol';
import { Joiner, type Replay } from '../../generators/joiner.js';
import type { Lane } from '../../generators/lane.js';
import { payload, type Subscribe } from '../../generators/reader.js';
import { ReaderPool } from '../../generators/reader-pool.js';
import { type CpuShares, watchCpu } from '../../report/cpu.js';
import type { Contender } from '../../servers/contender.js';
import { runLatency } from './latency.js';

export interface StormResult {
  readonly perSecond: number;
  /** CPU time of the server for each join or connection, us, and for the others meanwhile. */
  readonly cpuMicrosEach: number;
  /** The 99th percentile of the latencies of everyone else meanwhile, ms. */
  readonly othersP99Ms: number;
  readonly cpu: CpuShares;
}

/** What a storm does; it resolves with how many joins or connections that were. */
export type Storm = () => Promise<number>;

const STEADY = { messagesPerSecond: 100, size: 64 };
const JOINERS = 100;
const DEADLINE_MS = 60_000;

/**
 * Runs a storm while the lane goes on at an even pace. Rejects unless every subscriber of the lane has received every
 * message, and if the storm does.
 */
export async function runStorm(lane: Lane, storm: Storm): Promise<StormResult> {
  const { server } = lane.contender;
  let isOver = false;
  const begin = performance.now();
  const cpu = watchCpu(server);
  const cpuBegin = server.cpuMs();
  const measure = async () => {
    const count = await storm();
    const elapsedMs = performance.now() - begin;
    const cpuMs = server.cpuMs() - cpuBegin;
    return { perSecond: (count * 1000) / elapsedMs, cpuMicrosEach: (cpuMs * 1000) / count, cpu: cpu() };
  };
  const measuring = measure().finally(() => {
    isOver = true;
  });
  const [measured, { p99Ms }] = await Promise.all([measuring, runLatency(lane, STEADY, () => isOver)]);
  return { ...measured, othersP99Ms: p99Ms };
}

/** Connections that join channels, each one after the other. They stay on these until they are closed. */
export class Joiners {
  readonly #joiners: Joiner[] = [];
  #fault: Error | undefined;
  #onFault: (error: Error) => void = () => {};

  static async open(contender: Contender): Promise<Joiners> {
    const joiners = new Joiners();
    const onFault = (error: Error) => {
      joiners.#fault ??= error;
      joiners.#onFault(error);
    };
    for (let i = 0; i < JOINERS; i++) joiners.#joiners.push(await Joiner.open(contender, onFault));
    return joiners;
  }

  /**
   * Joins every channel once. Rejects if a join is refused, or if what it replays is not all there, once and in order.
   */
  async join(channels: readonly string[], replayOf: (channel: string) => Replay | undefined): Promise<number> {
    let next = 0;
    const work = async (joiner: Joiner) => {
      for (let channel = channels[next++]; channel !== undefined; channel = channels[next++])
        await joiner.join(channel, replayOf(channel));
    };
    let stall: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onFault = reject;
      if (this.#fault) reject(this.#fault);
      stall = setTimeout(() => reject(new Error(`joins took longer than ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    await Promise.race([Promise.all(this.#joiners.map(work)), failed]).finally(() => clearTimeout(stall));
    return channels.length;
  }

  close(): void {
    for (const joiner of this.#joiners) joiner.close();
  }
}

/**
 * Opens all these connections as fast as they are accepted, and waits for `messages` messages on each. Then it closes
 * them. Rejects unless each receives these once and in order, and nothing else.
 */
export async function runConnects(subscribes: readonly Subscribe[], messages: number): Promise<number> {
  const pool = new ReaderPool(1);
  try {
    await pool.open(subscribes);
    const deadline = performance.now() + DEADLINE_MS;
    while (pool.received < messages * subscribes.length && performance.now() < deadline) await sleep(1);
    pool.check(messages);
    return subscribes.length;
  } finally {
    pool.close();
  }
}

const FILLED_AT_ONCE = 100;

/**
 * Publishes `messages` messages to each of these new channels, numbered from 1 on. Resolves with the position before
 * them, by channel.
 */
export async function fill(
  contender: Contender,
  channels: readonly string[],
  messages: number,
): Promise<Map<string, Position>> {
  const positions = new Map<string, Position>();
  for (let from = 0; from < channels.length; from += FILLED_AT_ONCE) {
    const some = channels.slice(from, from + FILLED_AT_ONCE);
    for (let sequence = 1; sequence <= messages; sequence++) {
      const items = some.map((channel) => `{"channel":"${channel}","data":${payload(sequence, STEADY.size)}}`);
      const response = await fetch(`http://127.0.0.1:${contender.port}/v1/publish`, {
        method: 'POST',
        headers: { authorization: 'Bearer dev', 'content-type': 'application/json' },
        body: `{"messages":[${items.join(',')}]}`,
      });
      const { results } = (await response.json()) as { results: (Position & { channel: string })[] };
      for (const { channel, epoch, offset } of results)
        if (sequence === 1) positions.set(channel, { epoch, offset: offset - 1 });
    }
  }
  return positions;
}
