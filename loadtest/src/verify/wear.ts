import { setTimeout as sleep } from 'node:timers/promises';
import type { Trouble } from '../run/run.js';
import type { ScenarioInput } from '../scenario/scenario.js';

/** A run whose clients, on two durable channels, lose connections evenly for as long as it lasts. */
export interface WearPlan {
  readonly clients: number;
  readonly durationMs: number;
  /** Messages a second on each of the channels. */
  readonly rate: number;
  /** Mean size of a message, bytes. */
  readonly bytes: number;
  /** Share of the connections that is cut every second, 0-1. */
  readonly cutShare: number;
  /**
   * Share of the readers that stop every second for a time, 0-1. Another share as large stops at once and for the whole
   * run.
   */
  readonly stallShare: number;
}

const STROKE_MS = 250;
/** The largest share that one stroke may take, also one that came late. */
const MOST_AT_ONCE = 0.5;
/**
 * For which shares of the run a reader stops. The longest stops fill what the kernel holds (some 5 MiB on Linux), then
 * what the gateway holds.
 */
const STALL_OF_RUN = [0.1, 0.8] as const;
/** The longest stop, ms. It is shorter than the silence that ends a connection (the ping interval and 10 s). */
const MAX_STALL_MS = 25_000;
/**
 * Sizes of payloads, as multiples of the mean, which they average. They differ so that frames of every header size
 * occur.
 */
const SIZES = [0, 0.1, 0.4, 1, 3.5];
const MIN_BYTES = 64;
const ENVELOPE_BYTES = 1_024;
const FRAME_OVERHEAD_BYTES = 8 * 1_024;
const BUFFERED_BYTES = 64 * 1_024;

/**
 * Returns a scenario with the SDK in its own dialect and in MessagePack. Publishers are cut off like everybody else.
 */
export function wearScenario({ clients, durationMs, rate, bytes }: WearPlan): ScenarioInput {
  const choices = SIZES.map((share) => ({ size: Math.max(MIN_BYTES, Math.round(bytes * share)), weight: 1 }));
  const half = Math.ceil(clients / 2);
  const publish = { by: 'sdk' as const, rate, size: { choices } };
  const groups: ScenarioInput['groups'] = { sdk: { connections: half, client: 'sdk', publish } };
  if (clients > half) groups.msgpack = { connections: clients - half, client: 'sdk', dialect: 'msgpack', publish };
  return {
    name: 'survive',
    description: 'connections are cut and readers stop all the time',
    stages: [
      { duration: 0, publish: false },
      { duration: durationMs / 1000, publish: true },
    ],
    groups,
  };
}

/**
 * Returns settings of a gateway on which a client that stops reading is soon too slow, and whose log holds the whole
 * run.
 */
export function wearSettings({ durationMs, rate, bytes }: WearPlan, transport: 'uws' | 'ws'): object {
  const messageBytes = Math.max(...SIZES) * bytes + ENVELOPE_BYTES;
  const open = { subscribe: 'anyone', publish: 'anyone' };
  // Ten times what is due: on a busy machine a run lasts longer than it should.
  const size = Math.ceil((rate * durationMs) / 100);
  return {
    transport,
    namespaces: {
      demo: { durable: true, ...open, history: { size, ttl: '24h' } },
    },
    limits: {
      messageBytes,
      bufferedBytes: Math.max(BUFFERED_BYTES, messageBytes + FRAME_OVERHEAD_BYTES),
      commandsPerSecond: 0,
      publishesPerSecond: 0,
      bytesPerSecond: 0,
    },
  };
}

/** Cuts connections and stops readers until the run ends, in an order that the seed decides. */
export async function wearOut(
  { durationMs, cutShare, stallShare }: WearPlan,
  trouble: Trouble,
  random: () => number,
): Promise<void> {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  trouble.mark(
    `from now on ${percent(cutShare)} of the connections are cut and ${percent(stallShare)} of the readers stop, every second`,
  );
  const seed = () => Math.floor(random() * 2 ** 31);
  await trouble.stall(stallShare, durationMs, seed());
  const [shortest, longest] = STALL_OF_RUN;
  for (let last = performance.now(); !trouble.signal.aborted; ) {
    await sleep(STROKE_MS, undefined, { signal: trouble.signal }).catch(() => {});
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    const stallMs = durationMs * (shortest + random() * (longest - shortest));
    await trouble.cut(Math.min(MOST_AT_ONCE, cutShare * seconds), seed());
    await trouble.stall(Math.min(MOST_AT_ONCE, stallShare * seconds), Math.min(MAX_STALL_MS, stallMs), seed());
  }
}
