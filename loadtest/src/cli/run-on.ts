import { randomBytes } from 'node:crypto';
import { connectAgents } from '../agents/agents.js';
import { type Generator, LocalGenerator } from '../run/generator.js';
import type { TargetPlan } from '../run/plan.js';
import { inspectMachine, layOut } from '../run/preflight.js';
import { type RunOptions, runScenario } from '../run/run.js';
import { channelCount, type Scenario } from '../scenario/scenario.js';
import { UsageError, wholeNumber } from './flags.js';
import { deliver, liveView, type OutputFlags } from './output.js';
import { isLoopback } from './target.js';

type Passed = Pick<RunOptions, 'seed' | 'thresholds' | 'signal' | 'trouble' | 'mend' | 'complaints' | 'notes'>;

interface RunOnOptions extends OutputFlags, Passed {
  readonly 'allow-limited'?: boolean | undefined;
  /**
   * Each subscriber computes the checksum of every n-th message, where n is this number. Default: 1, or more if there
   * are too many messages.
   */
  readonly verifyEvery?: number | undefined;
  readonly processes?: string | undefined;
  /** The addresses of the agents, `host:port`, separated by commas. */
  readonly agents?: string | undefined;
}

/** Runs a scenario with generators of its own or those of agents, and shows, prints and writes the result. */
export async function runOn(target: TargetPlan, scenario: Scenario, options: RunOnOptions): Promise<number> {
  const connections = Object.values(scenario.groups).reduce((sum, group) => sum + group.connections, 0);
  const processes = options.processes === undefined ? undefined : wholeNumber('processes', options.processes);
  const agents = options.agents?.split(',').filter((one) => one !== '');
  if (agents && isLoopback(target) && agents.some((agent) => !/^(127\.|localhost)/.test(agent))) {
    throw new UsageError('--agents on other machines need a --url that they can reach, not a loopback address');
  }
  const share = Math.ceil(connections / Math.max(1, agents?.length ?? 1));
  const layout = layOut(inspectMachine(), share, isLoopback(target), processes);
  const view = liveView(options);
  const generators: readonly Generator[] = agents
    ? await connectAgents(agents, layout.workers)
    : Array.from({ length: layout.workers }, () => new LocalGenerator());
  try {
    const result = await runScenario({
      ...options,
      scenario,
      target,
      generators,
      verifyEvery: options.verifyEvery ?? verifyEvery(scenario),
      localAddresses: agents ? [] : layout.localAddresses,
      runId: randomBytes(3).toString('hex'),
      allowLimited: options['allow-limited'] ?? false,
      onPoint: (progress) => view?.show(progress),
    });
    view?.clear();
    deliver(result, options);
    return result.passed ? 0 : 1;
  } finally {
    for (const generator of generators) generator.end();
  }
}

/**
 * With more deliveries a second than this, each subscriber computes the checksum of one of {@link VERIFY_EVERY}
 * messages.
 */
const VERIFIED_PER_SECOND = 50_000;
const VERIFY_EVERY = 16;

function verifyEvery({ groups }: Scenario): number {
  const perSecond = Object.values(groups).map((group) => {
    const subscribers = (group.connections * group.channelsPerConnection) / channelCount(group);
    return (group.publish?.rate ?? (group.publish ? Number.POSITIVE_INFINITY : 0)) * subscribers;
  });
  return perSecond.reduce((sum, each) => sum + each, 0) > VERIFIED_PER_SECOND ? VERIFY_EVERY : 1;
}
