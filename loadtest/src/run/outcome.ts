import type { Offender } from '../audit/receipts.js';
import { countsOf } from '../report/histogram.js';
import { durationsOf, type RunResult } from '../report/result.js';
import { MUST_BE_ZERO } from '../report/summary.js';
import { judge, type Threshold } from '../report/thresholds.js';
import type { Scenario } from '../scenario/scenario.js';
import { countersBetween, type GatewaySample } from './gateway-watch.js';
import type { Generator } from './generator.js';
import { judgeGenerators } from './limits.js';
import type { SettledLosses } from './losses.js';
import type { TargetPlan } from './plan.js';
import type { Recording } from './recording.js';

/** What a run is, and by what it is judged. */
export interface RunTerms {
  readonly scenario: Scenario;
  readonly target: TargetPlan;
  readonly generators: readonly Generator[];
  readonly seed: number;
  readonly runId: string;
  readonly thresholds: readonly Threshold[];
  /** Whether a run passes although its generators limited it. */
  readonly allowLimited: boolean;
  /** Ends the run early, in an orderly way. */
  readonly signal: AbortSignal;
  /** Returns lines of the gateways' logs that should not be there. A single one of them fails the run. */
  readonly complaints?: (() => readonly string[]) | undefined;
  readonly notes?: readonly string[];
}

/** What a run measured. */
interface Measured extends Omit<SettledLosses, 'offenders'> {
  readonly recording: Recording;
  readonly startedAt: Date;
  /** How long messages were published, ms. */
  readonly publishedMs: number;
  /** How many connections the scenario asks for. */
  readonly wanted: number;
  /** How many publishes of the schedule the generators left out. */
  readonly skipped: number;
  readonly offenders: readonly Offender[];
  /** The gateways before the first connection, and after the audit. */
  readonly firstSample: GatewaySample | undefined;
  readonly lastSample: GatewaySample | undefined;
  /** Resident bytes of the gateways with all connections, before anything was published. */
  readonly settledBytes: number | undefined;
}

/**
 * How many connections a run needs for its memory to be divided by them. Fewer say nothing about the memory of each.
 */
export const MIN_CONNECTIONS_FOR_MEMORY = 500;

/** The result of a run, with its verdict. */
export function resultOf(terms: RunTerms, measured: Measured): RunResult {
  const { scenario, target, seed, runId, generators, thresholds, signal, complaints, notes = [] } = terms;
  const { recording, wanted, offenders, lostByLog, passedOver } = measured;
  const gatewayBytes = recording.points.flatMap(({ gatewayBytes: bytes }) => bytes ?? []);
  const { lost, skipped } = recording.audit;
  const settled = { lost: Math.max(0, lost - lostByLog - passedOver), skipped: skipped + passedOver, lostByLog };
  const { limits, notes: generatorNotes } = judgeGenerators(recording, measured.skipped);
  const base = {
    scenario: scenario.name,
    description: scenario.description,
    urls: target.urls,
    seed,
    runId,
    startedAt: measured.startedAt.toISOString(),
    durationMs: recording.nowMs,
    publishedMs: measured.publishedMs,
    isInterrupted: signal.aborted,
    connections: { wanted, peak: recording.peakConnections, refused: recording.refused },
    totals: recording.totals,
    errors: recording.errors,
    latency: durationsOf(recording.latency),
    acknowledgement: durationsOf(recording.acknowledgement),
    connecting: durationsOf(recording.connecting),
    lateness: durationsOf(recording.lateness),
    latencyCounts: countsOf(recording.latency),
    audit: { ...recording.audit, ...settled },
    offenders,
    gateway: {
      bytesPerConnection: bytesPerConnection(measured),
      peakBytes: gatewayBytes.length > 0 ? Math.max(...gatewayBytes) : undefined,
      counters: countersBetween(measured.firstSample, measured.lastSample),
      complaints: complaints?.() ?? [],
    },
    disturbed: recording.disturbed,
    generator: {
      processes: generators.length,
      hosts: [...new Map(generators.map(({ host, clock }) => [host, { host, ...clock }])).values()],
      limits,
    },
    points: recording.points,
    marks: recording.marks,
    notes: [...notes, ...generatorNotes],
  };
  const outcomes = judge(thresholds, base);
  const passed =
    outcomes.every(({ isMet }) => isMet) &&
    MUST_BE_ZERO.every((name) => base.audit[name] === 0) &&
    (base.isInterrupted || wereAllConnected(scenario, recording, wanted)) &&
    recording.refused === 0 &&
    (terms.allowLimited || limits.length === 0) &&
    base.gateway.complaints.length === 0;
  return { ...base, thresholds: outcomes, passed };
}

/** A gateway may have given back more than connections took, because it had just been busy: then nothing is known. */
function bytesPerConnection({ firstSample, settledBytes, recording, wanted }: Measured): number | undefined {
  const before = firstSample?.residentBytes;
  if (before === undefined || settledBytes === undefined || wanted < MIN_CONNECTIONS_FOR_MEMORY) return undefined;
  return settledBytes > before ? (settledBytes - before) / recording.peakConnections : undefined;
}

/** If some connections come and leave all the time, they are hardly ever all there at once. */
function wereAllConnected({ groups }: Scenario, recording: Recording, wanted: number): boolean {
  const hasChurn = Object.values(groups).some(({ churn }) => churn);
  return recording.peakConnections >= wanted || (hasChurn && recording.connecting.totalCount >= wanted);
}
