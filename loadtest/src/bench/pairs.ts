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
export async function withPair(
  bench: Bench,
  action: (pair: Pair<Contender>) => Promise<void>,
  { workers = 1 } = {},
): Promise<void> {
  const baseline = await bench.startBaseline();
  const fanfare = await bench.startFanfare({ workers }).catch(async (error: Error) => {
    await baseline.server.stop();
    throw error;
  });
  try {
    await action({ baseline, fanfare });
  } finally {
    await Promise.all([baseline.server.stop(), fanfare.server.stop()]);
  }
}

/** A lane that both servers have. */
interface SameLane extends Pick<LaneOptions, 'channels' | 'promptShare' | 'intake' | 'publishers'> {
  /** How many subscribers there are. Default: as many as the plan has. */
  readonly subscribers?: number;
  /** Another gateway, which takes the publishes to Fanfare. */
  readonly apart?: Contender | undefined;
}

/** Opens the same lane on both servers. */
export async function withLanes(
  bench: Bench,
  pair: Pair<Contender>,
  options: SameLane,
  action: (lanes: Pair<Lane>) => Promise<void>,
): Promise<void> {
  const baseline = await openLane(bench, pair, 'baseline', options);
  try {
    const fanfare = await openLane(bench, pair, 'fanfare', options);
    await action({ baseline, fanfare }).finally(() => fanfare.close());
  } finally {
    await baseline.close();
  }
}

/** Opens the lane of one of the servers. */
export function openLane(bench: Bench, pair: Pair<Contender>, side: Side, options: SameLane): Promise<Lane> {
  const { subscribers = bench.plan.subscribers, apart, ...same } = options;
  return Lane.open({
    ...same,
    subscribers,
    contender: pair[side],
    intake: intakesOf(bench, options.intake)[side],
    publishTo: side === 'fanfare' ? apart : undefined,
  });
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

export const SIDES = ['baseline', 'fanfare'] as const;
export type Side = (typeof SIDES)[number];

export function endIf({ aborted }: AbortSignal): void {
  if (aborted) throw new Error('ended early');
}

/** What else a result may tell, beside the figure of its row. */
interface Beside {
  readonly cpu?: CpuShares;
  /** How many messages a prompt subscriber found in one read, on average: so many left the server together. */
  readonly messagesPerRead?: number;
}

/** Returns the figures of a row and what stands beside them, each as the means of the slices of each round. */
export function columns<Result extends Beside>(
  { baseline, fanfare }: Pair<Results<Result>>,
  figureOf: (result: Result) => number,
) {
  const figures = (rounds: Results<Result>) => rounds.map((slices) => mean(slices.map(figureOf)));
  return {
    baseline: figures(baseline),
    fanfare: figures(fanfare),
    baselineCpu: meanShares(baseline.flat()),
    fanfareCpu: meanShares(fanfare.flat()),
    baselinePerRead: meanPerRead(baseline.flat()),
    fanfarePerRead: meanPerRead(fanfare.flat()),
  };
}

function meanPerRead(results: readonly Beside[]): number | undefined {
  const known = results.flatMap(({ messagesPerRead }) => messagesPerRead ?? []);
  return known.length === 0 ? undefined : mean(known);
}

function meanShares(results: readonly Beside[]): CpuShares | undefined {
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
  return `both fed by ${direct === 'http' ? 'HTTP' : 'WebSocket, one frame a message'}`;
}
