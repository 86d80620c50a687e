/** What primary and workers say to each other. */

/** Environment variable in which a worker finds its number, counted from 1. */
export const WORKER_VARIABLE = 'FANFARE_WORKER';

/**
 * What the primary says to a worker. `ping`: answer `pong`. `stop`: send your clients elsewhere and end. `collect`:
 * send your own metrics.
 */
export type FromPrimary =
  | { readonly type: 'ping' }
  | { readonly type: 'stop' }
  | { readonly type: 'collect'; readonly id: number }
  | MetricsReply;

/**
 * What a worker says to the primary. `waiting`: it cannot serve yet, and should not be killed for that. `ready`: it
 * serves. `metrics?`: somebody asked it for metrics, and it needs those of all workers.
 */
export type FromWorker =
  | { readonly type: 'waiting' }
  | { readonly type: 'ready' }
  | { readonly type: 'pong' }
  | { readonly type: 'collected'; readonly id: number; readonly metrics: object }
  | { readonly type: 'metrics?'; readonly id: number };

export interface MetricsReply {
  readonly type: 'metrics';
  readonly id: number;
  readonly text?: string;
  readonly error?: string;
}
