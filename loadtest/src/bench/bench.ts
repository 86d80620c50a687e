import { Report } from '../report/report.js';
import { type BenchDialect, startBareUws, startFanfare } from '../servers/contender.js';
import { startRedis } from '../servers/redis.js';
import { CLIENT_CORE, pinSelf } from '../servers/server-process.js';
import { benchJoins } from './joins.js';
import { benchApart, benchInFlight, benchOpenLoop, benchPublishers, benchWorkers } from './one-by-one.js';
import { type Bench, PLANS, type Plan, type Section } from './plan.js';
import { benchChannels, benchFanout, benchHealing, benchLatency, benchMemory, benchPublishes } from './sections.js';

interface BenchOptions {
  readonly extent: keyof typeof PLANS;
  /** In how many rounds each server is measured. Default: the plan's number. */
  readonly rounds: number | undefined;
  readonly sections: readonly Section[];
  /** Whether Redis is in the path of both servers. */
  readonly redis: boolean;
  readonly dialect: BenchDialect;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

const RUNS: Record<Section, (bench: Bench) => Promise<void>> = {
  'fan-out': benchFanout,
  'in-flight': benchInFlight,
  latency: benchLatency,
  channels: benchChannels,
  publishes: benchPublishes,
  memory: benchMemory,
  healing: benchHealing,
  publishers: benchPublishers,
  workers: benchWorkers,
  apart: benchApart,
  'open-loop': benchOpenLoop,
  joins: benchJoins,
};

/** Runs the sections one after the other. If a section fails, that is reported and the next one runs. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const plan: Plan = { ...PLANS[options.extent], ...(options.rounds === undefined ? {} : { rounds: options.rounds }) };
  const report = new Report(options.print);
  const isPinned = pinSelf();
  report.note(
    `Node ${process.version}; ${isPinned ? 'servers on one core, subscribers and publisher on another' : 'NOT PINNED: taskset is missing'}`,
  );
  report.note(
    `${plan.rounds} rounds, baseline and Fanfare in turn; medians. CPU: shares of one core, baseline / Fanfare`,
  );
  const redis = options.redis ? await startRedis() : undefined;
  const bench: Bench = {
    plan,
    report,
    redis,
    signal: options.signal,
    startBaseline: (more) => startBareUws({ redisPort: redis?.port, dialect: options.dialect, ...more }),
    startFanfare: (more) => startFanfare({ redisPort: redis?.port, dialect: options.dialect, ...more }),
    startPublishingGateway: () => startFanfare({ redisPort: redis?.port, core: CLIENT_CORE }),
  };
  try {
    for (const section of options.sections) {
      await RUNS[section](bench).catch((error: Error) => report.fault(`${section}: ${error.message}`));
      if (options.signal.aborted) break;
    }
  } finally {
    await redis?.stop();
  }
  return report;
}
