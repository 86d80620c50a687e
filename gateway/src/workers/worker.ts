import cluster, { type Worker } from 'node:cluster';
import type { Registry } from 'prom-client';
import type { FromPrimary, FromWorker } from './messages.js';

/** How long the primary may take to add up the metrics of all workers. */
const METRICS_TIMEOUT_MS = 10_000;

/** Whether this process is a worker of a gateway with several. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** A worker's side of the channel to its primary. */
export class PrimaryLink {
  /** Resolves with the reason once this worker has to end. */
  readonly stopped: Promise<string>;
  #registry: Registry | undefined;
  readonly #asked = new Map<number, (reply: Extract<FromPrimary, { type: 'metrics' }>) => void>();
  #requests = 0;

  /**
   * Makes the link. The primary says when to end, and a signal asks for the same. All processes of a group get a signal
   * at once (from systemd or Ctrl-C), so further signals do not cut the farewell short.
   */
  constructor() {
    // Otherwise node:cluster ends a worker at once, without a farewell, when its primary is gone.
    (cluster.worker as Worker).exitedAfterDisconnect = true;
    // This is the error of a channel whose other end is gone; `disconnect` follows.
    process.on('error', () => {});
    this.stopped = new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(signal));
      process.once('disconnect', () => resolve('the primary is gone'));
      process.on('message', (message: FromPrimary) => {
        if (message.type === 'ping') this.#tell({ type: 'pong' });
        else if (message.type === 'stop') resolve('the primary stops');
        else if (message.type === 'collect') void this.#collect(message.id);
        else if (message.type === 'metrics') this.#asked.get(message.id)?.(message);
      });
    });
  }

  /**
   * Tells the primary that this worker has to wait before it can serve. It may wait for as long as it answers pings.
   */
  reportWaiting(): void {
    this.#tell({ type: 'waiting' });
  }

  /** Tells the primary that this worker serves. */
  reportReady(): void {
    this.#tell({ type: 'ready' });
  }

  /**
   * Gives the primary the metrics of this worker whenever it asks. Returns a function that asks it for the metrics of
   * all workers, as Prometheus text.
   */
  share(registry: Registry): () => Promise<string> {
    this.#registry = registry;
    return () =>
      new Promise((resolve, reject) => {
        const id = ++this.#requests;
        const timeout = setTimeout(() => {
          this.#asked.delete(id);
          reject(new Error('the primary did not answer'));
        }, METRICS_TIMEOUT_MS);
        this.#asked.set(id, ({ text, error }) => {
          this.#asked.delete(id);
          clearTimeout(timeout);
          if (text === undefined) reject(new Error(error));
          else resolve(text);
        });
        this.#tell({ type: 'metrics?', id });
      });
  }

  async #collect(id: number): Promise<void> {
    const metrics = await this.#registry?.getMetricsAsJSON();
    if (metrics) this.#tell({ type: 'collected', id, metrics });
  }

  #tell(message: FromWorker): void {
    if (process.connected) process.send?.(message, () => {});
  }
}
