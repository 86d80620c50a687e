import { performance } from 'node:perf_hooks';
import { type AuditCounts, noCounts, type Offence, type Offender } from '../audit/receipts.js';
import { DurationRecorder } from '../report/histogram.js';

/** What one generator process did since its last report. */
export interface Tick {
  readonly received: number;
  readonly bytes: number;
  readonly published: number;
  readonly acknowledged: number;
  /** Histogram of the durations from due to received, us, encoded. `undefined` if there were none. */
  readonly latency: string | undefined;
  /** Histogram of the durations from due to acknowledged, us, encoded. `undefined` if there were none. */
  readonly acknowledgement: string | undefined;
  /** Histogram of the durations from connect to subscribed, us, encoded. `undefined` if there were none. */
  readonly connecting: string | undefined;
  /** Histogram of how late messages left against their schedule, us, encoded. `undefined` if there were none. */
  readonly lateness: string | undefined;
  /** How many connections are subscribed now. */
  readonly connections: number;
  /** How many connections are on their way now. */
  readonly pending: number;
  /** How many connections were refused for good, since the run began. */
  readonly refused: number;
  /** How many connections were cut, since the run began. */
  readonly cut: number;
  /** How many times readers were stopped, since the run began. */
  readonly stalled: number;
  /** How many join and leave frames were received. */
  readonly presence: number;
  readonly errors: Readonly<Record<string, number>>;
  /** CPU time of this process since its last report, ms. */
  readonly cpuMs: number;
  /** Wall time since the last report, ms. */
  readonly wallMs: number;
  /** Share of that time in which the event loop was busy, 0-1. */
  readonly loopBusy: number;
  readonly residentBytes: number;
  readonly audit: AuditCounts;
}

/** How many offenders are kept of each kind. */
const KEPT = 3;
/** Finds the channels of a run in a text, as `channelName` names them. */
const CHANNEL = /(?<namespace>[\w.-]+):load-[\w-]+/g;

/** The counters of one generator process. All subscribers and publishers in it count here. */
export class Tally {
  received = 0;
  bytes = 0;
  published = 0;
  acknowledged = 0;
  connections = 0;
  pending = 0;
  /** How many connections were refused for good. It is never reset. */
  refused = 0;
  cut = 0;
  stalled = 0;
  presence = 0;
  readonly latency = new DurationRecorder();
  readonly acknowledgement = new DurationRecorder();
  readonly connecting = new DurationRecorder();
  readonly lateness = new DurationRecorder();
  /** The counts of the audit. They are never reset. */
  readonly audit: AuditCounts = noCounts();
  readonly offenders: Offender[] = [];
  #errors: Record<string, number> = {};
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #at = performance.now();

  /** Counts an error by its text. The same error on several channels counts as one kind. */
  error(text: string): void {
    const what = text.replace(CHANNEL, '$<namespace>:…');
    this.#errors[what] = (this.#errors[what] ?? 0) + 1;
  }

  /** Counts a connection that ended with a close code after which the protocol forbids another attempt. */
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
