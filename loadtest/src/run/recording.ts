import { type AuditCounts, addCounts, noCounts } from '../audit/receipts.js';
import { createHistogram, decodeHistogram, type Histogram } from '../report/histogram.js';
import type { Mark, Point } from '../report/result.js';
import type { GatewaySample } from './gateway-watch.js';
import type { Tick } from './tally.js';

type Counted = { [Name in keyof Tick]: Tick[Name] extends number ? Name : never }[keyof Tick];

/** Everything measured so far: ticks of all generators become points of time, and sums. */
export class Recording {
  readonly points: Point[] = [];
  readonly marks: Mark[] = [];
  readonly totals = { published: 0, acknowledged: 0, received: 0, bytes: 0, presence: 0 };
  readonly errors: Record<string, number> = {};
  readonly latency = createHistogram();
  readonly acknowledgement = createHistogram();
  readonly connecting = createHistogram();
  readonly lateness = createHistogram();
  audit: AuditCounts = noCounts();
  peakConnections = 0;
  /** How many connections all generators together have now. */
  connections = 0;
  pending = 0;
  /** How many connections were refused for good so far. */
  refused = 0;
  /** How many connections were cut, and how many readers were stopped for a time, so far. */
  disturbed = { cut: 0, stalled: 0 };
  readonly #beganAt = performance.now();
  #gateway: { readonly sample: GatewaySample; readonly at: number } | undefined;

  /** Time since the run began, ms. */
  get nowMs(): number {
    return performance.now() - this.#beganAt;
  }

  mark(text: string, isFault = false): void {
    this.marks.push({ atMs: this.nowMs, text, isFault });
  }

  /** @returns the point of time that the ticks make, with one tick of each generator */
  add(ticks: readonly Tick[], gateway: GatewaySample | undefined): Point {
    const now = performance.now();
    // Time is taken from the generators, because the time between the questions differs from that between the answers.
    const elapsedMs = Math.max(1, ...ticks.map(({ wallMs }) => wallMs));
    const sum = (name: Counted) => ticks.reduce((total, tick) => total + tick[name], 0);
    for (const name of Object.keys(this.totals) as (keyof Recording['totals'])[]) this.totals[name] += sum(name);
    let errors = 0;
    for (const tick of ticks) {
      for (const [what, count] of Object.entries(tick.errors)) {
        this.errors[what] = (this.errors[what] ?? 0) + count;
        if (!what.startsWith('reconnected')) errors += count;
      }
    }
    this.audit = ticks.map(({ audit }) => audit).reduce((total, one) => addCounts(total, one), noCounts());
    const latency = createHistogram();
    for (const tick of ticks) {
      merge(latency, tick.latency);
      merge(this.acknowledgement, tick.acknowledgement);
      merge(this.connecting, tick.connecting);
      merge(this.lateness, tick.lateness);
    }
    this.latency.add(latency);
    this.connections = sum('connections');
    this.pending = sum('pending');
    this.refused = sum('refused');
    this.disturbed = { cut: sum('cut'), stalled: sum('stalled') };
    this.peakConnections = Math.max(this.peakConnections, this.connections);
    const at = (percentile: number) =>
      latency.totalCount === 0 ? Number.NaN : latency.getValueAtPercentile(percentile) / 1000;
    const perSecond = (count: number) => (count * 1000) / elapsedMs;
    const point: Point = {
      atMs: this.nowMs,
      received: perSecond(sum('received')),
      bytes: perSecond(sum('bytes')),
      published: perSecond(sum('published')),
      acknowledged: perSecond(sum('acknowledged')),
      errors: perSecond(errors),
      connections: this.connections,
      pending: this.pending,
      p50: at(50),
      p99: at(99),
      p999: at(99.9),
      max: latency.totalCount === 0 ? Number.NaN : latency.maxValue / 1000,
      gatewayCpu: this.#gatewayCpu(gateway, now),
      gatewayBytes: gateway?.residentBytes,
      generatorCpu: ticks.reduce((total, { cpuMs, wallMs }) => total + cpuMs / Math.max(1, wallMs), 0),
      generatorBytes: ticks.reduce((total, { residentBytes }) => total + residentBytes, 0),
      generatorBusy: Math.max(0, ...ticks.map(({ loopBusy }) => loopBusy)),
      generatorCore: Math.max(0, ...ticks.map(({ cpuMs, wallMs }) => cpuMs / Math.max(1, wallMs))),
    };
    this.points.push(point);
    return point;
  }

  #gatewayCpu(sample: GatewaySample | undefined, at: number): number | undefined {
    const before = this.#gateway;
    this.#gateway = sample && { sample, at };
    if (!before || !sample) return undefined;
    const seconds = sample.cpuSeconds - before.sample.cpuSeconds;
    // The counter of a gateway that was restarted begins at 0.
    return seconds < 0 ? undefined : (seconds * 1000) / Math.max(1, at - before.at);
  }
}

function merge(into: Histogram, encoded: string | undefined): void {
  if (encoded !== undefined) into.add(decodeHistogram(encoded));
}
