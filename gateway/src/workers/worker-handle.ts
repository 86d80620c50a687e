import type { Worker } from 'node:cluster';
import { type Cancel, type Clock, sleep } from '../clock.js';
import type { FromPrimary, FromWorker } from './messages.js';

export interface WorkerTimings {
  /** How long a worker may take until it serves or says that it has to wait, ms. After that it is killed. */
  readonly startMs: number;
  /** How long a worker may be silent, ms. After that it counts as hanging and is killed, at most a fifth later. */
  readonly silenceMs: number;
  /** How long a worker may take to send its metrics, ms. */
  readonly collectMs: number;
}

export const WORKER_TIMINGS: WorkerTimings = { startMs: 60_000, silenceMs: 15_000, collectMs: 1_000 };

/**
 * How many pings may stay unanswered. They are counted and not timed, so that a primary that was suspended itself does
 * not blame its workers.
 */
const MAX_UNANSWERED = 5;

interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** One worker, as the primary sees it. */
export class WorkerHandle {
  readonly ended: Promise<WorkerEnd>;
  /** Resolves once the worker serves; rejects if it ends before that. */
  readonly ready: Promise<void>;
  isReady = false;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #timings: WorkerTimings;
  readonly #collecting = new Map<number, (metrics: object) => void>();
  #collects = 0;
  #unanswered = 0;
  #cancelTimer: Cancel;
  #onReady = (): void => {};

  /** @param onMetricsAsked called when the worker wants the metrics of all workers; it gets them by `tell` */
  constructor(worker: Worker, clock: Clock, timings: WorkerTimings, onMetricsAsked: (id: number) => void) {
    this.#worker = worker;
    this.#clock = clock;
    this.#timings = timings;
    this.#cancelTimer = clock.after(timings.startMs, () => this.kill());
    this.ended = new Promise((resolve) => {
      worker.on('exit', (code: number | null, signal: string | null) => {
        this.#cancelTimer();
        resolve({ code, signal });
      });
      // A worker that could not be started exits without an error here. Any other error is that of a channel whose
      // other end is gone.
      worker.on('error', () => {
        if (worker.process.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve;
      void this.ended.then(({ code, signal }) => reject(new Error(signal ?? `exit code ${code}`)));
    });
    this.ready.catch(() => {});
    worker.on('message', (message: FromWorker) => {
      this.#unanswered = 0;
      if (message.type === 'ready') this.#serves();
      else if (message.type === 'waiting') this.#lives();
      else if (message.type === 'collected') this.#collecting.get(message.id)?.(message.metrics);
      else if (message.type === 'metrics?') onMetricsAsked(message.id);
    });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  tell(message: FromPrimary): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => {});
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /** The metrics of the worker; `undefined` if it does not send them in time, or does not listen yet. */
  async collect(): Promise<object | undefined> {
    if (!this.isReady) return undefined;
    const id = ++this.#collects;
    const told = new Promise<object>((resolve) => this.#collecting.set(id, resolve));
    this.tell({ type: 'collect', id });
    const metrics = await Promise.race([told, sleep(this.#clock, this.#timings.collectMs)]);
    this.#collecting.delete(id);
    return metrics ?? undefined;
  }

  #serves(): void {
    this.isReady = true;
    this.#onReady();
    this.#lives();
  }

  /** From now on the worker is pinged, to notice if it hangs. */
  #lives(): void {
    this.#cancelTimer();
    this.#beat();
  }

  #beat(): void {
    if (this.#unanswered === MAX_UNANSWERED) {
      this.kill();
      return;
    }
    this.#unanswered++;
    this.tell({ type: 'ping' });
    this.#cancelTimer = this.#clock.after(this.#timings.silenceMs / MAX_UNANSWERED, () => this.#beat());
  }
}
