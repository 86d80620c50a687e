import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../random.js';
import type { Trouble } from '../run/run.js';
import type { ScenarioInput } from '../scenario/scenario.js';
import type { Topology } from '../topology/topology.js';
import type { Fault } from './faults.js';

interface VerifyPlan {
  readonly durationMs: number;
  /** Of all groups together. */
  readonly connections: number;
  /** Messages a second, of all groups together. */
  readonly rate: number;
}

/** Undisturbed time at the begin, and at the end, ms. */
const CALM_MS = 3_000;
/** The time between two faults varies by this share. */
const JITTER = 1 / 3;

/** Who listens while faults happen: applications' SDK in both dialects, and clients that look at the wire itself. */
export function verifyScenario({ durationMs, connections, rate }: VerifyPlan): ScenarioInput {
  const share = (part: number) => Math.max(1, Math.round(connections * part));
  const channels = (part: number) => Math.max(1, Math.min(10, Math.floor(share(part) / 4)));
  const publish = { by: 'http' as const, sure: true, rate: rate / 3, size: { min: 64, max: 1_000 } };
  return {
    name: 'verify',
    description: 'every acknowledged message at every subscriber, while faults happen',
    stages: [
      { duration: 0, publish: false },
      { duration: durationMs / 1000, publish: true },
    ],
    groups: {
      raw: { connections: share(0.5), channels: channels(0.5), publish },
      sdk: { connections: share(0.3), channels: channels(0.3), client: 'sdk', publish },
      msgpack: { connections: share(0.2), channels: channels(0.2), client: 'sdk', dialect: 'msgpack', publish },
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
  /** Those to choose from. */
  readonly faults: readonly Fault[];
}

/** Causes one fault after another, in an order that the seed decides; each comes once before one comes again. */
export async function causeTrouble(plan: TroublePlan, trouble: Trouble): Promise<void> {
  const { topology, urls, everyMs, durationMs, faults } = plan;
  const random = seededRandom(plan.seed);
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
