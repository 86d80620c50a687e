/** Two servers side by side: they are started together and measured in turn, and their rounds are made into columns. */
import { Lane, type LaneOptions } from '../generators/lane.js';
import type { CpuShares } from '../report/cpu.js';
import { mean } from '../report/statistics.js';
import type { Contender, IntakeKind } from '../servers/contender.js';
import type { Bench } from './plan.js';

/** The same thing for both servers. */
export interface Pair<T> {
  readonly baseline: T;
  readonly fanfare: T;
}

/** Runs both servers at once on the same core. Only one at a time has something to do. */
export async function withPair(bench: Bench, action: (pair: Pair<Contender>) => Promise<void>): Promise<void> {
  const baseline = await bench.startBaseline();
  const fanfare = await bench.startFanfare().catch(async (error: Error) => {
    await baseline.server.stop();
    throw error;
  });
  try {
    await action({ baseline, fanfare });
  } finally {
    await Promise.all([baseline.server.stop(), fanfare.server.stop()]);
  }
}

/** Opens the same lane on both servers, with as many subscribers as the plan has. */
export async function withLanes(
  bench: Bench,
  pair: Pair<Contender>,
  { intake, ...same }: Pick<LaneOptions, 'channels' | 'promptShare' | 'intake'>,
  action: (lanes: Pair<Lane>) => Promise<void>,
): Promise<void> {
  const { subscribers } = bench.plan;
  const intakes = intakesOf(bench, intake);
  const open = (side: Side) => Lane.open({ ...same, subscribers, contender: pair[side], intake: intakes[side] });
  const baseline = await open('baseline');
  try {
    const fanfare = await open('fanfare');
    await action({ baseline, fanfare }).finally(() => fanfare.close());
  } finally {
    await baseline.close();
  }
}

/** The results of one server: rounds, each of several slices. */
type Results<Result> = readonly (readonly Result[])[];

/**
 * Measures baseline and Fanfare in turn, after a run that does not count. A round has many short slices in the order B
 * F, F B, and so on, so that a machine whose speed wanders is as fast for one server as for the other.
 */
export async function alternate<Subject, Result>(
  { plan: { rounds, slices }, signal }: Bench,
  pair: Pair<Subject>,
  run: (subject: Subject, isWarmUp: boolean) => Promise<Result>,
): Promise<Pair<Results<Result>>> {
  await run(pair.baseline, true);
  await run(pair.fanfare, true);
  const results: Pair<Result[][]> = { baseline: [], fanfare: [] };
  for (let round = 0; round < rounds; round++) {
    const slicesOf: Pair<Result[]> = { baseline: [], fanfare: [] };
    for (let slice = 0; slice < slices; slice++) {
      for (const side of slice % 2 === 0 ? SIDES : SIDES.toReversed()) {
        endIf(signal);
        slicesOf[side].push(await run(pair[side], false));
      }
    }
    results.baseline.push(slicesOf.baseline);
    results.fanfare.push(slicesOf.fanfare);
  }
  return results;
}

const SIDES = ['baseline', 'fanfare'] as const;
type Side = (typeof SIDES)[number];

export function endIf({ aborted }: AbortSignal): void {
  if (aborted) throw new Error('ended early');
}

/** Returns the figures and CPU of a row, each as the means of the slices of each round. */
export function columns<Result extends { readonly cpu?: CpuShares }>(
  { baseline, fanfare }: Pair<Results<Result>>,
  figureOf: (result: Result) => number,
) {
  const figures = (rounds: Results<Result>) => rounds.map((slices) => mean(slices.map(figureOf)));
  return {
    baseline: figures(baseline),
    fanfare: figures(fanfare),
    baselineCpu: meanShares(baseline.flat()),
    fanfareCpu: meanShares(fanfare.flat()),
  };
}

function meanShares(results: readonly { readonly cpu?: CpuShares }[]): CpuShares | undefined {
  const shares = results.flatMap(({ cpu }) => cpu ?? []);
  if (shares.length === 0) return undefined;
  return { client: mean(shares.map(({ client }) => client)), server: mean(shares.map(({ server }) => server)) };
}

/**
 * Returns how the two servers are fed: the same way, except that behind Redis only the baseline takes plain PUBLISH.
 */
export function intakesOf({ redis }: Bench, direct: IntakeKind): Pair<IntakeKind> {
  return redis ? { baseline: 'redis', fanfare: direct } : { baseline: direct, fanfare: direct };
}

export function describeIntake(bench: Bench, direct: IntakeKind): string {
  if (bench.redis) return `baseline fed by Redis PUBLISH, Fanfare by ${direct} and Redis`;
  return `both fed by ${direct === 'http' ? 'HTTP, one request a burst' : 'one WebSocket, one frame a message'}`;
}
