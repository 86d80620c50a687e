/**
 * Several gateway processes on one port. The primary serves nobody: it starts the workers, replaces those that die or
 * hang, stops them together and adds up their metrics. Workers share nothing but the port and the broker; a client of a
 * worker that crashed resumes on any other.
 */
import cluster from 'node:cluster';
import { AggregatorRegistry, Gauge } from 'prom-client';
import { type Clock, sleep } from '../clock.js';
import type { Logger } from '../observability/logger.js';
import { shared, WORKERS_MISSING } from '../observability/metrics.js';
import { probePort } from '../transport/listen-probe.js';
import { type MetricsReply, WORKER_VARIABLE } from './messages.js';
import { WORKER_TIMINGS, WorkerHandle, type WorkerTimings } from './worker-handle.js';

interface WorkersOptions {
  readonly count: number;
  /** Name of the gateway; workers are `<node>-1`, `<node>-2`, … */
  readonly node: string;
  readonly host: string;
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Longest time that workers get to end, ms. */
  readonly stopTimeoutMs: number;
  readonly timings?: Partial<WorkerTimings>;
}

interface Workers {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * A worker that dies younger than this counts as one that cannot run, ms. The next one is then started after a while
 * only.
 */
const YOUNG_MS = 2_000;
const MAX_RESTART_DELAY_MS = 10_000;

/**
 * Starts the workers. Once this has resolved, the group lives on whatever happens to a worker. A worker that cannot be
 * replaced now, for instance while Redis is down, is tried again and again.
 * @throws {Error} if the port is taken or a worker does not start.
 */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  // Workers share the port with every process that asks, so make sure that nobody else has it. A free port has to have
  // its number before the first worker starts, because for `node:cluster` port 0 is another address than the port that
  // it became.
  const port = await probePort(options.host, options.port);
  const group = new WorkerGroup(options, port);
  try {
    for (let index = 1; index <= options.count; index++) await group.start(index);
  } catch (error) {
    await group.stop();
    throw error;
  }
  return { port, stop: () => group.stop() };
}

class WorkerGroup {
  readonly #options: WorkersOptions;
  readonly #port: number;
  readonly #workers = new Map<number, WorkerHandle>();
  readonly #metrics: () => Promise<string>;
  #isStopping = false;

  constructor(options: WorkersOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.#metrics = shared(() => this.#addUp(), options.clock);
  }

  /** Starts a worker. Resolves once it listens. @throws {Error} if it does not */
  async start(index: number): Promise<void> {
    const worker = this.#fork(index);
    await worker.ready.catch((error: Error) => {
      throw new Error(`worker ${index} does not start (${error.message})`);
    });
    void this.#keep(index, worker);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.tell({ type: 'stop' });
    const timeout = setTimeout(() => {
      for (const worker of workers) worker.kill();
    }, this.#options.stopTimeoutMs);
    await Promise.all(workers.map(({ ended }) => ended));
    clearTimeout(timeout);
  }

  #fork(index: number): WorkerHandle {
    const { node, clock, timings } = this.#options;
    const process = cluster.fork({
      [WORKER_VARIABLE]: String(index),
      FANFARE_NODE: `${node}-${index}`,
      FANFARE_PORT: String(this.#port),
    });
    const worker = new WorkerHandle(process, clock, { ...WORKER_TIMINGS, ...timings }, (id) => {
      void this.#answerMetrics(worker, id);
    });
    this.#workers.set(index, worker);
    return worker;
  }

  /**
   * Keeps the place of a worker filled: it is replaced when it ends, and so is its replacement, until the group stops.
   */
  async #keep(index: number, first: WorkerHandle): Promise<void> {
    const { logger, clock } = this.#options;
    let worker = first;
    let failures = 0;
    for (;;) {
      const startedAt = clock.now();
      const end = await worker.ended;
      this.#workers.delete(index);
      if (this.#isStopping) return;
      failures = worker.isReady && clock.now() - startedAt >= YOUNG_MS ? 0 : failures + 1;
      const delayMs = failures === 0 ? 0 : Math.min(MAX_RESTART_DELAY_MS, 100 * 2 ** failures);
      logger.error({ worker: index, pid: worker.pid, ...end, delayMs }, 'worker died, replacing it');
      await sleep(clock, delayMs);
      if (this.#isStopping) return;
      worker = this.#fork(index);
    }
  }

  async #answerMetrics(worker: WorkerHandle, id: number): Promise<void> {
    const reply: MetricsReply = await this.#metrics().then(
      (text) => ({ type: 'metrics', id, text }),
      (error: Error) => ({ type: 'metrics', id, error: error.message }),
    );
    worker.tell(reply);
  }

  /** The sum of the metrics of all workers that answer. How many do not is a metric of its own. */
  async #addUp(): Promise<string> {
    const { count, node } = this.#options;
    const answers = await Promise.all([...this.#workers.values()].map((worker) => worker.collect()));
    const metrics = answers.filter((answer) => answer !== undefined);
    const registry = AggregatorRegistry.aggregate(metrics);
    new Gauge({
      ...WORKERS_MISSING,
      labelNames: ['node'],
      registers: [registry],
    }).set({ node }, count - metrics.length);
    return registry.metrics();
  }
}
