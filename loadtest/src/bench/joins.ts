/** The section of `fanfare-load bench` about those who come, and about everyone else meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '../generators/lane.js';
import type { Contender } from '../servers/contender.js';
import { fill, Joiners, runConnects, runStorm, type Storm, type StormResult } from './cases/joins.js';
import { columns, describeIntake, endIf, type Pair, SIDES, type Side, withLanes, withPair } from './pairs.js';
import type { Bench } from './plan.js';

/** How many messages a join or a resume with a replay is sent. */
const REPLAYED = 10;
const STEADY_SUBSCRIBERS = 100;
const STEADY = { name: 'steady', durable: true };

export async function benchJoins(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  report.begin(
    'joins',
    `100 connections, each joins one of ${plan.joinedChannels} durable channels after the other; ${plan.resumes} new connections; the others: ${STEADY_SUBSCRIBERS} subscribers x 100 messages/s of 64 B; ${describeIntake(bench, 'websocket')}`,
  );
  const results = new Map<string, Pair<StormResult[][]>>();
  const lane = { channels: [STEADY], subscribers: STEADY_SUBSCRIBERS, promptShare: 1, intake: 'websocket' } as const;
  await withPair(bench, (pair) =>
    withLanes(bench, pair, lane, async (lanes) => {
      // The first round warms the servers up.
      for (let round = 0; round <= plan.rounds; round++) {
        for (const side of SIDES) {
          await runStorms(bench, pair[side], lanes[side], side, round, (name, result) => {
            if (round === 0) return;
            const rounds = results.get(name) ?? { baseline: [], fanfare: [] };
            results.set(name, rounds);
            rounds[side].push([result]);
          });
        }
      }
    }),
  );
  for (const [name, rounds] of results) {
    const side = (row: string, unit: 'us' | 'ms', figureOf: (one: StormResult) => number) => {
      const { baseline, fanfare } = columns(rounds, figureOf);
      report.add({ group: 'joins', name: row, unit, baseline, fanfare });
    };
    if (name !== ALONE) {
      report.add({ group: 'joins', name, unit: 'joins/s', ...columns(rounds, ({ perSecond }) => perSecond) });
      side('  server CPU each', 'us', ({ cpuMicrosEach }) => cpuMicrosEach);
    }
    side(name === ALONE ? name : '  p99 of the others', 'ms', ({ othersP99Ms }) => othersP99Ms);
  }
}

const ALONE = 'p99 of the others, alone';

/** Runs all storms once on one server. What has a replay is for Fanfare alone: the baseline remembers nothing. */
async function runStorms(
  { plan, signal }: Bench,
  contender: Contender,
  lane: Lane,
  side: Side,
  round: number,
  add: (name: string, result: StormResult) => void,
): Promise<void> {
  const run = async (name: string, storm: Storm) => {
    endIf(signal);
    add(name, await runStorm(lane, storm));
  };
  await run(ALONE, async () => {
    await sleep(plan.stepMs);
    return 1;
  });
  await run('accepted', () => runConnects(Array.from({ length: plan.resumes }, contender.connect), 0));

  const open: Joiners[] = [];
  const join = async (name: string, channels: readonly string[], replayOf: Parameters<Joiners['join']>[1]) => {
    const joiners = await Joiners.open(contender);
    open.push(joiners);
    await run(name, () => joiners.join(channels, replayOf));
  };
  const named = (kind: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${kind}-${round}-${index}`);
  try {
    const channels = named('joined', plan.joinedChannels);
    await join('cold channel', channels, () => undefined);
    await join('warm channel', channels, () => undefined);
    if (side === 'fanfare') {
      const filled = named('filled', plan.joinedChannels);
      const replayOf = replaysOf(await fill(contender, filled, REPLAYED));
      await join(`cold channel, replay of ${REPLAYED}`, filled, replayOf);
      await join(`warm channel, replay of ${REPLAYED}`, filled, replayOf);
    }
  } finally {
    for (const joiners of open) joiners.close();
  }

  for (const count of [1, Math.min(1_000, plan.joinedChannels)]) {
    const subscribes = await comingBack(contender, side, named(`resumed-${count}`, count), plan.resumes);
    const name = `resumed over ${count === 1 ? 'one channel' : `${count} channels`}`;
    await run(name, () => runConnects(subscribes, side === 'fanfare' ? REPLAYED : 0));
  }
}

/** Returns how clients connect that come back to these channels, and have missed some messages. */
async function comingBack(contender: Contender, side: Side, channels: readonly string[], clients: number) {
  const positions = side === 'fanfare' ? await fill(contender, channels, REPLAYED) : undefined;
  return Array.from({ length: clients }, (_, index) => {
    const name = channels[index % channels.length] as string;
    return contender.subscribe({ name, durable: true }, positions?.get(name));
  });
}

function replaysOf(positions: Awaited<ReturnType<typeof fill>>): Parameters<Joiners['join']>[1] {
  return (channel) => {
    const since = positions.get(channel);
    return since && { since, messages: REPLAYED };
  };
}
