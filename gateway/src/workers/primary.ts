/**
 * Several gateway processes on one port. The primary serves nobody: it starts the workers, replaces
 * those that die, stops them together and adds up their metrics. Workers share nothing but the
 * port and the broker; a client of a crashed one resumes on any other.
 */
import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { Clock } from '../clock.js';
import type { Logger } from '../observability/logger.js';
import { probePort } from '../transport/listen-probe.js';
import { isMetricsRequest, type MetricsReply, WORKER_VARIABLE, type WorkerReady } from './messages.js';

export interface WorkersOptions {
  readonly count: number;
  /** Name of the gateway; workers are `<node>-1`, `<node>-2`, … */
  readonly node: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Longest time that workers get to end, ms. */
  readonly stopTimeoutMs: number;
}

export interface Workers {
  readonly port: number;
  /** Rejects if a worker cannot even start. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** A worker that dies younger than this counts as one that cannot run: the next waits a while, ms. */
const YOUNG_MS = 2_000;
const MAX_RESTART_DELAY_MS = 10_000;

/** @throws if the port is taken or the first worker does not start. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  // Workers share the port with whoever asks: make sure nobody else has it. A free one has to have its
  // number before the first worker starts, since to `node:cluster` 0 is another address than what it became.
  const port = await probePort(options.host, options.port);
  const group = new WorkerGroup(options);
  for (let index = 1; index <= options.count; index++) await group.start(index, port);
  return { port, failed: group.failed, stop: () => group.stop() };
}

class WorkerGroup {
  readonly failed: Promise<never>;
  readonly #options: WorkersOptions;
  readonly #workers = new Map<number, Worker>();
  readonly #aggregator = new AggregatorRegistry();
  #fail: (error: Error) => void = () => {};
  #failures = 0;
  #stopping = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
    cluster.on('message', (worker, message) => {
      if (isMetricsRequest(message)) void this.#answerMetrics(worker, message.id);
    });
  }

  /** Resolves once it listens. */
  start(index: number, port: number): Promise<void> {
    const { node, logger, clock } = this.#options;
    const worker = cluster.fork({
      [WORKER_VARIABLE]: String(index),
      FANFARE_NODE: `${node}-${index}`,
      FANFARE_PORT: String(port),
    });
    const startedAt = clock.now();
    this.#workers.set(index, worker);
    return new Promise((resolve, reject) => {
      let isReady = false;
      worker.on('message', (message: WorkerReady | undefined) => {
        if (message?.type !== 'ready') return;
        isReady = true;
        resolve();
      });
      worker.on('exit', (code, signal) => {
        this.#workers.delete(index);
        if (this.#stopping) return;
        if (!isReady) {
          reject(new Error(`worker ${index} does not start (${signal ?? `exit code ${code}`})`));
          return;
        }
        this.#failures = clock.now() - startedAt < YOUNG_MS ? this.#failures + 1 : 0;
        const delayMs = this.#failures === 0 ? 0 : Math.min(MAX_RESTART_DELAY_MS, 100 * 2 ** this.#failures);
        logger.error({ worker: index, pid: worker.process.pid, code, signal, delayMs }, 'worker died, replacing it');
        clock.after(delayMs, () => {
          if (!this.#stopping) this.start(index, port).catch((error: Error) => this.#fail(error));
        });
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const workers = [...this.#workers.values()];
    const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const worker of workers) worker.process.kill('SIGTERM');
    const timeout = setTimeout(() => {
      for (const worker of this.#workers.values()) worker.process.kill('SIGKILL');
    }, this.#options.stopTimeoutMs);
    await Promise.all(ended);
    clearTimeout(timeout);
  }

  async #answerMetrics(worker: Worker, id: number): Promise<void> {
    const reply: MetricsReply = await this.#aggregator.clusterMetrics().then(
      (text) => ({ type: 'metrics', id, text }),
      (error: Error) => ({ type: 'metrics', id, error: error.message }),
    );
    if (worker.isConnected()) worker.send(reply);
  }
}
