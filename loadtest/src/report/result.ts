import type { AuditCounts, Offender } from '../audit/receipts.js';
import type { Histogram } from './histogram.js';

/** Percentiles of durations, ms. */
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

/** What was measured in one interval of about a second. Rates are per second. */
export interface Point {
  /** End of the interval, counted from the begin of the run, ms. */
  readonly atMs: number;
  readonly received: number;
  readonly bytes: number;
  readonly published: number;
  readonly acknowledged: number;
  readonly errors: number;
  readonly connections: number;
  readonly pending: number;
  /** Median latency of the messages that were received in the interval, ms; NaN if there were none. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** CPU time of all gateway processes together, as a share of one core; `undefined` if it is not known. */
  readonly gatewayCpu: number | undefined;
  readonly gatewayBytes: number | undefined;
  readonly generatorCpu: number;
  readonly generatorBytes: number;
  /** How busy the busiest event loop of the generators was, 0 to 1. */
  readonly generatorBusy: number;
  /** CPU of the generator process that took the most, share of one core. */
  readonly generatorCore: number;
}

/** Something that happened, and is marked on the time axis. */
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
  /** When the run began, in ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Time in which messages were published, ms. */
  readonly publishedMs: number;
  /** Whether Ctrl-C ended it. */
  readonly isInterrupted: boolean;
  /**
   * How many connections were wanted, how many there were at most, and how many were refused. Those are connections,
   * including those of publishers, that ended with a close code after which none is tried again.
   */
  readonly connections: { readonly wanted: number; readonly peak: number; readonly refused: number };
  readonly totals: {
    readonly published: number;
    readonly acknowledged: number;
    readonly received: number;
    readonly bytes: number;
    readonly presence: number;
  };
  readonly errors: Readonly<Record<string, number>>;
  /** Time from when a message was due until it was received, counted for each subscriber. */
  readonly latency: Durations | undefined;
  /** Time from when a message was due until it was acknowledged. */
  readonly acknowledgement: Durations | undefined;
  /** Time from the begin of a connection until its subscriptions were answered. */
  readonly connecting: Durations | undefined;
  /** How much later than due messages left the generator. */
  readonly lateness: Durations | undefined;
  /** Counts of latencies, by upper bound in ms. */
  readonly latencyCounts: readonly (readonly [upToMs: number, count: number])[];
  readonly audit: AuditCounts & {
    /**
     * Messages that were acknowledged and are gone from the log itself, because a failover lost them, as positions
     * show.
     */
    readonly lostByLog: number;
  };
  readonly offenders: readonly Offender[];
  readonly gateway: {
    /**
     * By how much the resident memory grew for each connection, bytes; `undefined` if it is not known, or there were
     * too few connections.
     */
    readonly bytesPerConnection: number | undefined;
    readonly peakBytes: number | undefined;
    /**
     * By how much the counters of the gateways (`fanfare_…_total`) grew; `undefined` if they are not known, or if a
     * gateway restarted meanwhile.
     */
    readonly counters: Readonly<Record<string, number>> | undefined;
    /** Lines of the gateways' logs that should not be there. Only for gateways of our own to which nothing was done. */
    readonly complaints: readonly string[];
  };
  /** How many connections the run itself cut, and how many readers it stopped for a time. */
  readonly disturbed: { readonly cut: number; readonly stalled: number };
  readonly generator: {
    readonly processes: number;
    readonly hosts: readonly { readonly host: string; readonly offsetUs: number; readonly errorUs: number }[];
    /** Reasons why the figures are those of the generator and not of the gateway. Empty if there are none. */
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
