import cluster from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { MetricsReply, MetricsRequest, WorkerReady } from './messages.js';

/** How long the primary may take to add up the metrics of all workers. */
const METRICS_TIMEOUT_MS = 10_000;

let requests = 0;

/** Whether this process is a worker of a gateway with several. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** Tells the primary that this worker listens; ends with the primary. */
export function reportReady(onOrphaned: () => void): void {
  process.send?.({ type: 'ready' } satisfies WorkerReady);
  process.once('disconnect', onOrphaned);
}

/** The metrics of all workers, added up by the primary, as Prometheus text. */
export function sharedMetrics(registry: Registry): () => Promise<string> {
  AggregatorRegistry.setRegistries(registry);
  new AggregatorRegistry();
  return () =>
    new Promise((resolve, reject) => {
      const id = ++requests;
      const settle = (act: () => void) => {
        clearTimeout(timeout);
        process.off('message', onMessage);
        act();
      };
      const timeout = setTimeout(
        () => settle(() => reject(new Error('the primary did not answer'))),
        METRICS_TIMEOUT_MS,
      );
      const onMessage = (message: MetricsReply | undefined) => {
        if (message?.type !== 'metrics' || message.id !== id) return;
        const { text, error } = message;
        settle(() => (text === undefined ? reject(new Error(error)) : resolve(text)));
      };
      process.on('message', onMessage);
      process.send?.({ type: 'metrics?', id } satisfies MetricsRequest);
    });
}
