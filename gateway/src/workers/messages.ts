/** What primary and workers say to each other. */

/** Environment variable that tells a worker its number, from 1. */
export const WORKER_VARIABLE = 'FANFARE_WORKER';

export interface WorkerReady {
  readonly type: 'ready';
}

/** A worker was asked for metrics and wants those of all. */
export interface MetricsRequest {
  readonly type: 'metrics?';
  readonly id: number;
}

export interface MetricsReply {
  readonly type: 'metrics';
  readonly id: number;
  readonly text?: string;
  readonly error?: string;
}

export function isMetricsRequest(message: unknown): message is MetricsRequest {
  return (message as MetricsRequest | undefined)?.type === 'metrics?';
}
