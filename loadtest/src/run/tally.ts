import { performance } from 'node:perf_hooks';
import { type AuditCounts, noCounts, type Offence, type Offender } from '../audit/receipts.js';
import { DurationRecorder } from '../report/histogram.js';

/** What one generator process did since its last report. */
export interface Tick {
  readonly received: number;
  readonly bytes: number;
  readonly published: number;
  readonly acknowledged: number;
  /** Encoded histograms of durations, us: from due to received, from due to acknowledged, from connect to subscribed. */
  readonly latency: string | undefined;
  readonly acknowledgement: string | undefined;
  readonly connecting: string | undefined;
  /** How late messages left against their schedule, us. */
  readonly lateness: string | undefined;
  /** Connections now: subscribed, and on their way. */
  readonly connections: number;
  readonly pending: number;
  /** Connections that were refused for good, since the run began. */
  readonly refused: number;
  /** Connections that were cut, and readers that were stopped, since the run began. */
  readonly cut: number;
  readonly stalled: number;
  /** Join and leave frames received. */
  readonly presence: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Of this process since its last report: CPU time and wall time, ms; share of the loop that was busy, 0-1. */
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly loopBusy: number;
  readonly residentBytes: number;
  readonly audit: AuditCounts;
}

/** Offenders kept of each kind. */
const KEPT = 3;
/** A channel of a run, as `channelName` makes them. */
const CHANNEL = /(?<namespace>[\w.-]+):load-[\w-]+/g;

/** The counters of one generator process; everybody in it counts here. */
export class Tally {
  received = 0;
  bytes = 0;
  published = 0;
  acknowledged = 0;
  connections = 0;
  pending = 0;
  /** Never reset. */
  refused = 0;
  cut = 0;
  stalled = 0;
  presence = 0;
  readonly latency = new DurationRecorder();
  readonly acknowledgement = new DurationRecorder();
  readonly connecting = new DurationRecorder();
  readonly lateness = new DurationRecorder();
  /** Never reset. */
  readonly audit: AuditCounts = noCounts();
  readonly offenders: Offender[] = [];
  #errors: Record<string, number> = {};
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #at = performance.now();

  /** Counts what was told, the same of all channels as one. */
  error(text: string): void {
    const what = text.replace(CHANNEL, '$<namespace>:…');
    this.#errors[what] = (this.#errors[what] ?? 0) + 1;
  }

  /** A connection ended with a close code after which the protocol forbids another attempt. */
  refuse(code: number, reason: string): void {
    this.refused++;
    this.error(`refused for good: ${code}${reason ? ` ${reason}` : ''}`);
  }

  offend(what: Offence, offender: Omit<Offender, 'what' | 'at'>, count = 1): void {
    this.audit[what] += count;
    if (this.offenders.filter((one) => one.what === what).length < KEPT) {
      this.offenders.push({ what, at: Date.now(), ...offender });
    }
  }

  tick(): Tick {
    const { user, system } = process.cpuUsage(this.#cpu);
    const loop = performance.eventLoopUtilization(this.#loop);
    const wallMs = performance.now() - this.#at;
    const tick: Tick = {
      received: this.received,
      bytes: this.bytes,
      published: this.published,
      acknowledged: this.acknowledged,
      latency: this.latency.take(),
      acknowledgement: this.acknowledgement.take(),
      connecting: this.connecting.take(),
      lateness: this.lateness.take(),
      connections: this.connections,
      pending: this.pending,
      refused: this.refused,
      cut: this.cut,
      stalled: this.stalled,
      presence: this.presence,
      errors: this.#errors,
      cpuMs: (user + system) / 1000,
      wallMs,
      loopBusy: loop.utilization,
      residentBytes: process.memoryUsage.rss(),
      audit: { ...this.audit },
    };
    this.received = 0;
    this.bytes = 0;
    this.published = 0;
    this.acknowledged = 0;
    this.presence = 0;
    this.#errors = {};
    this.#cpu = process.cpuUsage();
    this.#loop = performance.eventLoopUtilization();
    this.#at = performance.now();
    return tick;
  }
}
