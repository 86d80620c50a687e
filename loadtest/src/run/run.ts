import { setTimeout as sleep } from 'node:timers/promises';
import type { AckSummary } from '../audit/ack-log.js';
import type { Offender } from '../audit/receipts.js';
import type { Point, RunResult } from '../report/result.js';
import type { Stage } from '../scenario/scenario.js';
import { type GatewaySample, sampleGateways } from './gateway-watch.js';
import { settleLosses } from './losses.js';
import { MIN_CONNECTIONS_FOR_MEMORY, type RunTerms, resultOf } from './outcome.js';
import type { Loss, WorkerReply, WorkerRequest } from './plan.js';
import { Recording } from './recording.js';
import { shareOut } from './shares.js';

export interface RunOptions extends RunTerms {
  readonly localAddresses: readonly (readonly string[])[];
  /**
   * Each subscriber computes the checksum of every n-th message, where n is this number. With 1 it is that of every
   * message.
   */
  readonly verifyEvery: number;
  readonly onPoint: (progress: Progress) => void;
  /** Causes faults. It runs while messages are published, until `signal` is aborted. */
  readonly trouble?: ((trouble: Trouble) => Promise<void>) | undefined;
  /** Called when nothing is published any more, before the audit. Once it resolves, everything must run again. */
  readonly mend?: (() => Promise<void>) | undefined;
  /** Returns the memory of the gateways, if the caller knows it better than `/metrics`. */
  readonly sample?: (() => Promise<GatewaySample | undefined>) | undefined;
}

/** What those who cause faults can do and report. */
export interface Trouble {
  readonly signal: AbortSignal;
  mark(text: string): void;
  cut(share: number, seed: number): Promise<void>;
  stall(share: number, ms: number, seed: number): Promise<void>;
}

export interface Progress {
  readonly phase: string;
  /** How much of the whole run is over, 0-1. */
  readonly share: number;
  readonly point: Point;
  readonly recording: Recording;
  readonly wanted: number;
}

const TICK_MS = 1_000;
const LOAD_STEP_MS = 250;
/** How many connections are being made at a time, in all generators together. */
const CONNECTING = 400;
/** How long to wait for one more connection, ms. After that the rest will not come. */
const CONNECT_PATIENCE_MS = 15_000;
/** How long to wait for the first connection of all, ms. Without one there is nothing to measure. */
const FIRST_CONNECTION_MS = 10_000;
/** How long to wait in the audit for one more message, ms. After that what is missing will not come. */
const AUDIT_PATIENCE_MS = 10_000;
const SETTLE_PATIENCE_MS = 130_000;

/** Runs a scenario from its first connection to the audit. */
export async function runScenario(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #recording = new Recording();
  readonly #startedAt = new Date();
  readonly #wanted: number;
  #phase = 'connecting';
  #passedMs = 0;
  #publishedMs = 0;
  /** Resident bytes of the gateways with all connections. */
  #settledBytes: number | undefined;
  #offenders: Offender[] = [];
  #skipped = 0;
  #firstSample: GatewaySample | undefined;
  #lastSample: GatewaySample | undefined;
  #ticking = Promise.resolve();
  #failure: Error | undefined;
  readonly #failed = new AbortController();
  /** Aborted by the caller, or by a failure. */
  readonly #signal: AbortSignal;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#failed.signal]);
    this.#wanted = Object.values(options.scenario.groups).reduce((sum, { connections }) => sum + connections, 0);
  }

  async run(): Promise<RunResult> {
    const { generators } = this.#options;
    await this.#begin();
    this.#firstSample = await this.#sample();
    const timer = setInterval(() => {
      this.#ticking = this.#ticking.then(() => this.#tick()).catch((error: Error) => this.#fail(error));
    }, TICK_MS);
    try {
      await this.#stages();
      if (this.#failure) throw this.#failure;
      await this.#stopPublishing();
    } finally {
      clearInterval(timer);
      await this.#ticking;
    }
    const losses = await this.#audit();
    const { lostByLog, passedOver, offenders } = await settleLosses(losses, this.#options.target, (wanted) =>
      this.#positions(wanted),
    );
    this.#offenders.push(...offenders);
    const result = resultOf(this.#options, {
      recording: this.#recording,
      startedAt: this.#startedAt,
      publishedMs: this.#publishedMs,
      wanted: this.#wanted,
      skipped: this.#skipped,
      lostByLog,
      passedOver,
      offenders: this.#offenders,
      firstSample: this.#firstSample,
      lastSample: this.#lastSample,
      settledBytes: this.#settledBytes,
    });
    await Promise.allSettled(generators.map((generator) => generator.ask({ do: 'close' })));
    return result;
  }

  /** Called when a generator is gone: what it would have counted is missing, whatever else is measured. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#failed.abort();
  }

  async #begin(): Promise<void> {
    const { scenario, generators, target, seed, runId, localAddresses, verifyEvery } = this.#options;
    const shares = shareOut(scenario, generators.length);
    await Promise.all(
      generators.map((generator, index) =>
        generator.ask({
          do: 'begin',
          plan: {
            runId,
            seed: seed + index * 104_729,
            target,
            shares: shares[index] ?? [],
            localAddresses: localAddresses[index] ?? [],
            verifyEvery,
            clockOffsetUs: generator.clock.offsetUs,
            connecting: Math.max(20, Math.ceil(CONNECTING / generators.length)),
          },
        }),
      ),
    );
  }

  async #stages(): Promise<void> {
    const { scenario, trouble } = this.#options;
    const totalMs = scenario.stages.reduce((sum, { duration }) => sum + duration, 0);
    const ended = new AbortController();
    let troubles: Promise<void> | undefined;
    let load = 0;
    let doneMs = 0;
    for (const stage of scenario.stages) {
      if (this.#signal.aborted) break;
      const isFirstPublished = stage.publish && troubles === undefined;
      if (isFirstPublished) troubles = this.#startTrouble(trouble, ended.signal);
      this.#phase = stage.publish ? 'running' : 'connecting';
      if (stage.duration === 0) await this.#jump(stage);
      else await this.#ramp(stage, load, (ms) => (this.#passedMs = doneMs + ms));
      load = stage.load;
      doneMs += stage.duration;
      this.#passedMs = doneMs;
      if (totalMs === doneMs) break;
    }
    ended.abort();
    const endedAt = performance.now();
    await troubles;
    // Messages are published until what was broken last runs again.
    if (troubles && this.#isPublishing) this.#publishedMs += performance.now() - endedAt;
  }

  /** Starts the faults of the caller, and the storms of the scenario. */
  async #startTrouble(trouble: RunOptions['trouble'], signal: AbortSignal): Promise<void> {
    const told: Trouble = {
      signal: AbortSignal.any([signal, this.#signal]),
      mark: (text) => this.#recording.mark(text, true),
      cut: async (share, seed) => void (await this.#askAll({ do: 'cut', share, seed })),
      stall: async (share, ms, seed) => void (await this.#askAll({ do: 'stall', share, ms, seed })),
    };
    const { groups, stages } = this.#options.scenario;
    const holdMs = Math.max(...stages.map(({ duration }) => duration));
    const storms = Object.entries(groups).map(async ([group, { storm, connections }]) => {
      if (!storm) return;
      await sleep(storm.at * holdMs, undefined, { signal: told.signal }).catch(() => {});
      if (told.signal.aborted) return;
      this.#recording.mark(`storm: ${Math.round(connections * storm.share)} connections cut at once`, true);
      await this.#askAll({ do: 'cut', group, share: storm.share, seed: this.#options.seed });
      await this.#untilBack();
    });
    await Promise.all([trouble?.(told), ...storms]);
  }

  /** Waits until all connections are back, and marks how long that took. */
  async #untilBack(): Promise<void> {
    const beganAt = performance.now();
    const before = this.#recording.connections;
    await sleep(TICK_MS, undefined);
    while (performance.now() - beganAt < CONNECT_PATIENCE_MS * 4) {
      await this.#tickNow();
      if (this.#recording.connections >= before) {
        this.#recording.mark(`all back after ${((performance.now() - beganAt) / 1000).toFixed(1)} s`);
        return;
      }
      await sleep(100);
    }
    this.#recording.mark(`${before - this.#recording.connections} connections did not come back`, true);
  }

  async #jump({ load, publish }: Stage): Promise<void> {
    await this.#setLoad(load, publish ? load : undefined);
    const wanted = Math.round(this.#wanted * load);
    let best = -1;
    let bestAt = performance.now();
    while (!this.#signal.aborted && performance.now() - bestAt < CONNECT_PATIENCE_MS) {
      await sleep(50);
      await this.#tickNow();
      const { connections, pending, refused } = this.#recording;
      if (pending === 0 && connections + refused >= wanted) break;
      if (connections > best) {
        best = connections;
        bestAt = performance.now();
      }
      if (wanted > 0 && best === 0 && performance.now() - bestAt > FIRST_CONNECTION_MS) break;
    }
    if (wanted > 0 && this.#recording.connections === 0 && !this.#signal.aborted) {
      this.#nobodyConnected();
      return;
    }
    this.#recording.mark(`${this.#recording.connections} connected`);
    await this.#settleMemory();
  }

  #nobodyConnected(): void {
    this.#fail(new Error(`nobody could connect: ${Object.keys(this.#recording.errors).join('; ') || 'no answer'}`));
  }

  async #settleMemory(): Promise<void> {
    if (this.#settledBytes !== undefined || this.#wanted < MIN_CONNECTIONS_FOR_MEMORY) return;
    // The garbage of so many handshakes is not memory that connections hold.
    await sleep(1_000, undefined, { signal: this.#signal }).catch(() => {});
    this.#settledBytes = (await this.#sample())?.residentBytes;
  }

  async #ramp(stage: Stage, from: number, passed: (ms: number) => void): Promise<void> {
    const beganAt = performance.now();
    const signal = this.#signal;
    for (;;) {
      const ms = performance.now() - beganAt;
      const share = Math.min(1, ms / stage.duration);
      const load = from + (stage.load - from) * share;
      await this.#setLoad(load, stage.publish ? load : undefined);
      passed(Math.min(ms, stage.duration));
      const { peakConnections, pending, refused } = this.#recording;
      const hasTried = ms > FIRST_CONNECTION_MS && pending + refused + Object.keys(this.#recording.errors).length > 0;
      if (peakConnections === 0 && hasTried && !signal.aborted) this.#nobodyConnected();
      if (share === 1 || signal.aborted) break;
      const stepMs = from === stage.load ? stage.duration - ms : Math.min(LOAD_STEP_MS, stage.duration - ms);
      const beat = Math.min(stepMs, LOAD_STEP_MS);
      await sleep(Math.max(1, beat), undefined, { signal }).catch(() => {});
    }
    if (stage.publish) this.#publishedMs += performance.now() - beganAt;
  }

  #lastLoad = '';
  #isPublishing = false;

  async #setLoad(connections: number, publish: number | undefined): Promise<void> {
    const load = `${connections} ${publish}`;
    this.#isPublishing = publish !== undefined;
    if (load === this.#lastLoad) return;
    this.#lastLoad = load;
    await this.#askAll({ do: 'load', connections, publish });
  }

  /** Ends the schedule, and waits until everything that was due is settled. */
  async #stopPublishing(): Promise<void> {
    this.#phase = 'settling';
    await this.#askAll({ do: 'load', connections: this.#finalLoad(), publish: undefined });
    await this.#options.mend?.();
    for (let waitedMs = 0, last = -1; waitedMs < SETTLE_PATIENCE_MS; waitedMs += 50) {
      const replies = await this.#askAll({ do: 'open' });
      const open = replies.reduce((sum, reply) => sum + (reply.open ?? 0), 0);
      this.#skipped = replies.reduce((sum, reply) => sum + (reply.skipped ?? 0), 0);
      if (open === 0) break;
      if (open !== last) waitedMs = 0;
      last = open;
      await sleep(50);
    }
  }

  /** Returns the final load. A caller who ends a run early does not wait for connections that are not there yet. */
  #finalLoad(): number {
    const load = Number(this.#lastLoad.split(' ')[0] ?? 1);
    return this.#signal.aborted ? Math.min(load, this.#recording.connections / Math.max(1, this.#wanted)) : load;
  }

  async #audit(): Promise<Loss[]> {
    this.#phase = 'auditing';
    const acks = (await this.#askAll({ do: 'acks' })).flatMap((reply) => reply.acks ?? []) as AckSummary[];
    const replies = await this.#askAll({ do: 'audit', acks, patienceMs: AUDIT_PATIENCE_MS });
    this.#lastSample = await this.#sample();
    const point = this.#recording.add(
      replies.flatMap(({ tick }) => tick ?? []),
      this.#lastSample,
    );
    this.#show(point, 1);
    this.#offenders = replies.flatMap((reply) => reply.offenders ?? []).sort((a, b) => a.at - b.at);
    return replies.flatMap((reply) => reply.losses ?? []);
  }

  async #positions(wanted: readonly { channel: string; stream: number; n: number }[]) {
    const replies = await this.#askAll({ do: 'positions', wanted });
    return wanted.map((_, index) => replies.map((reply) => reply.positions?.[index]).find((position) => position));
  }

  async #tick(): Promise<void> {
    const [replies, gateway] = await Promise.all([this.#askAll({ do: 'tick' }), this.#sample()]);
    const point = this.#recording.add(
      replies.flatMap(({ tick }) => tick ?? []),
      gateway,
    );
    const totalMs = this.#options.scenario.stages.reduce((sum, { duration }) => sum + duration, 0);
    this.#show(point, Math.min(1, this.#passedMs / Math.max(1, totalMs)));
  }

  async #tickNow(): Promise<void> {
    await this.#ticking;
    const last = this.#recording.points.at(-1)?.atMs ?? 0;
    if (this.#recording.nowMs - last > 200) await this.#tick();
  }

  #show(point: Point, share: number): void {
    const { onPoint } = this.#options;
    onPoint({ phase: this.#phase, share, point, recording: this.#recording, wanted: this.#wanted });
  }

  #sample(): Promise<GatewaySample | undefined> {
    return this.#options.sample?.() ?? sampleGateways(this.#options.target.apis);
  }

  #askAll(request: WorkerRequest): Promise<WorkerReply[]> {
    return Promise.all(this.#options.generators.map((generator) => generator.ask(request)));
  }
}
