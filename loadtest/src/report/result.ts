import type { AuditCounts, Offender } from '../audit/receipts.js';
import type { Histogram } from './histogram.js';

/** Durations, ms. */
export interface Durations {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One interval, about a second. Rates are by the second. */
export interface Point {
  /** Its end, since the run began, ms. */
  readonly atMs: number;
  readonly received: number;
  readonly bytes: number;
  readonly published: number;
  readonly acknowledged: number;
  readonly errors: number;
  readonly connections: number;
  readonly pending: number;
  /** Of messages received meanwhile, ms; NaN where there were none. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Shares of one core, added up over the processes; `undefined`: not told. */
  readonly gatewayCpu: number | undefined;
  readonly gatewayBytes: number | undefined;
  readonly generatorCpu: number;
  readonly generatorBytes: number;
  /** The busiest event loop of the generators, 0-1. */
  readonly generatorBusy: number;
  /** CPU of the generator process that took the most, share of one core. */
  readonly generatorCore: number;
}

/** Something that happened, marked on the time axis. */
export interface Mark {
  readonly atMs: number;
  readonly text: string;
  readonly isFault: boolean;
}

export interface ThresholdOutcome {
  readonly text: string;
  readonly value: number;
  readonly isMet: boolean;
}

/** Everything about a run: what `--json` writes, and all other output is made of. */
export interface RunResult {
  readonly scenario: string;
  readonly description: string;
  readonly urls: readonly string[];
  readonly seed: number;
  readonly runId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Time in which messages were published, ms. */
  readonly publishedMs: number;
  /** Whether Ctrl-C ended it. */
  readonly isInterrupted: boolean;
  /** `refused`: connections, publishers' among them, that ended with a close code after which none is tried again. */
  readonly connections: { readonly wanted: number; readonly peak: number; readonly refused: number };
  readonly totals: {
    readonly published: number;
    readonly acknowledged: number;
    readonly received: number;
    readonly bytes: number;
    readonly presence: number;
  };
  readonly errors: Readonly<Record<string, number>>;
  /** From when a message was due until it was received by each subscriber. */
  readonly latency: Durations | undefined;
  /** From when a message was due until it was acknowledged. */
  readonly acknowledgement: Durations | undefined;
  /** From the begin of a connection until its subscriptions stood. */
  readonly connecting: Durations | undefined;
  /** How much later than due messages left the generator. */
  readonly lateness: Durations | undefined;
  /** Counts of latencies by upper bound, ms. */
  readonly latencyCounts: readonly (readonly [upToMs: number, count: number])[];
  readonly audit: AuditCounts & {
    /** Acknowledged, and gone from the log itself: what a failover took, and positions say so. */
    readonly lostByLog: number;
  };
  readonly offenders: readonly Offender[];
  readonly gateway: {
    /** Growth of the resident memory by connections made, bytes; `undefined`: not told, or too few connections. */
    readonly bytesPerConnection: number | undefined;
    readonly peakBytes: number | undefined;
    /** What its counters (`fanfare_…_total`) grew by; `undefined`: not told, or it began anew meanwhile. */
    readonly counters: Readonly<Record<string, number>> | undefined;
    /** Lines of its log that should not be there, where it is ours and nothing was done to it. */
    readonly complaints: readonly string[];
  };
  /** Connections that the run itself cut, and readers that it stopped for a time. */
  readonly disturbed: { readonly cut: number; readonly stalled: number };
  readonly generator: {
    readonly processes: number;
    readonly hosts: readonly { readonly host: string; readonly offsetUs: number; readonly errorUs: number }[];
    /** Why the figures are those of the generator, not of the gateway; empty: they are not. */
    readonly limits: readonly string[];
  };
  readonly points: readonly Point[];
  readonly marks: readonly Mark[];
  readonly thresholds: readonly ThresholdOutcome[];
  readonly notes: readonly string[];
  readonly passed: boolean;
}

export function durationsOf(histogram: Histogram): Durations | undefined {
  if (histogram.totalCount === 0) return undefined;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    count: histogram.totalCount,
    min: histogram.minNonZeroValue / 1000,
    mean: histogram.mean / 1000,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: histogram.maxValue / 1000,
  };
}
