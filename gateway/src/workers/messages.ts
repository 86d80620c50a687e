/** What primary and workers say to each other. */

/** Environment variable that tells a worker its number, from 1. */
export const WORKER_VARIABLE = 'FANFARE_WORKER';

/** `ping`: answer `pong`. `stop`: send the clients elsewhere and end. `collect`: tell your own metrics. */
export type FromPrimary =
  | { readonly type: 'ping' }
  | { readonly type: 'stop' }
  | { readonly type: 'collect'; readonly id: number }
  | MetricsReply;

/** `waiting`: it cannot serve yet, and is to be left in peace. `ready`: it serves. `metrics?`: it was asked for metrics and wants those of all. */
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
