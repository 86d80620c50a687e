import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../random.js';
import type { Trouble } from '../run/run.js';
import type { ScenarioInput } from '../scenario/scenario.js';
import type { Topology } from '../topology/topology.js';
import type { Fault } from './faults.js';

/** The mixes of load: who publishes what, and whether faults come one by one or at once. */
export const MIXES = ['plain', 'chaos'] as const;
export type Mix = (typeof MIXES)[number];

interface VerifyPlan {
  readonly mix: Mix;
  readonly durationMs: number;
  /** Connections of all groups together. */
  readonly connections: number;
  /** Messages per second of all groups together. */
  readonly rate: number;
}

/** Time without faults at the begin and at the end, ms. */
const CALM_MS = 3_000;
/** By which share the time between two faults varies. */
const JITTER = 1 / 3;

/** The scenario of those who listen and publish while faults happen. */
export function verifyScenario({ mix, durationMs, connections, rate }: VerifyPlan): ScenarioInput {
  return {
    name: 'verify',
    description: 'every acknowledged message at every subscriber, while faults happen',
    stages: [
      { duration: 0, publish: false },
      { duration: durationMs / 1000, publish: true },
    ],
    groups: mix === 'plain' ? plainGroups(connections, rate) : chaosGroups(connections, rate),
  };
}

/** Clients of the SDK in its own dialect and in MessagePack, and clients that look at the wire itself. */
function plainGroups(connections: number, rate: number): ScenarioInput['groups'] {
  const share = (part: number) => Math.max(1, Math.round(connections * part));
  const channels = (part: number) => Math.max(1, Math.min(10, Math.floor(share(part) / 4)));
  const publish = { by: 'http' as const, sure: true, rate: rate / 4, size: { min: 64, max: 1_000 } };
  return {
    raw: { connections: share(0.3), channels: channels(0.3), publish },
    json: { connections: share(0.2), channels: channels(0.2), dialect: 'json', publish },
    sdk: { connections: share(0.3), channels: channels(0.3), client: 'sdk', publish },
    msgpack: { connections: share(0.2), channels: channels(0.2), client: 'sdk', dialect: 'msgpack', publish },
  };
}

/**
 * What applications do besides: large messages, publishers without keys, over WebSockets and in batches, logs that are
 * shorter than an outage, many channels a client, publishes that wait for replicas.
 */
function chaosGroups(connections: number, rate: number): ScenarioInput['groups'] {
  const share = (part: number) => Math.max(2, Math.round(connections * part));
  const small = { min: 64, max: 1_000 };
  const large = {
    choices: [
      { size: 400, weight: 3 },
      { size: 60_000, weight: 1 },
    ],
  };
  return {
    keyed: {
      connections: share(0.2),
      channels: 6,
      publish: { by: 'http', sure: true, rate: rate * 0.25, size: small },
    },
    sockets: {
      connections: share(0.15),
      channels: 4,
      publish: { by: 'websocket', connections: 4, rate: rate * 0.2, size: small },
    },
    msgpack: {
      connections: share(0.15),
      channels: 4,
      client: 'sdk',
      dialect: 'msgpack',
      publish: { by: 'websocket', connections: 4, rate: rate * 0.15, size: small },
    },
    many: {
      connections: share(0.15),
      channels: 40,
      channelsPerConnection: 20,
      client: 'sdk',
      publish: { by: 'http-batch', rate: rate * 0.15, size: small },
    },
    brief: {
      connections: share(0.15),
      channels: 4,
      namespace: 'brief',
      client: 'sdk',
      publish: { by: 'http-batch', rate: rate * 0.1, size: small },
    },
    large: {
      connections: share(0.1),
      channels: 2,
      publish: { by: 'http', sure: true, rate: rate * 0.05, size: large },
    },
    replicated: {
      connections: share(0.1),
      channels: 4,
      client: 'sdk',
      publish: { by: 'http', sure: true, durability: 'replicated', rate: rate * 0.1, size: small },
    },
  };
}

interface TroublePlan {
  readonly topology: Topology | undefined;
  readonly urls: readonly string[];
  readonly seed: number;
  /** From one fault to the next, on average, ms. */
  readonly everyMs: number;
  readonly durationMs: number;
  /** The faults to choose from. Faults of one list happen one after another, those of different lists at once. */
  readonly lanes: readonly (readonly Fault[])[];
}

/** Causes faults in an order that the seed decides. In each lane every fault comes once before one comes again. */
export async function causeTrouble(plan: TroublePlan, trouble: Trouble): Promise<void> {
  await Promise.all(plan.lanes.map((faults, lane) => causeOneByOne(plan, faults, plan.seed + lane * 7_919, trouble)));
}

async function causeOneByOne(
  { topology, urls, everyMs, durationMs }: TroublePlan,
  faults: readonly Fault[],
  seed: number,
  trouble: Trouble,
): Promise<void> {
  const random = seededRandom(seed);
  const endsAt = performance.now() + durationMs - CALM_MS;
  let bag: Fault[] = [];
  await wait(CALM_MS, trouble);
  while (!trouble.signal.aborted && performance.now() < endsAt) {
    if (bag.length === 0) bag = [...faults];
    const [fault] = bag.splice(Math.floor(random() * bag.length), 1) as [Fault];
    const nextAt = performance.now() + everyMs * (1 + JITTER * (2 * random() - 1));
    trouble.mark(fault.name);
    try {
      await fault.cause({ trouble, urls, topology, random });
    } catch (error) {
      trouble.mark(`${fault.name}: ${(error as Error).message}`);
    }
    await wait(Math.min(nextAt, endsAt) - performance.now(), trouble);
  }
}

async function wait(ms: number, { signal }: Trouble): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
}
