/** `GET /health/live`, `GET /health/ready`, `GET /metrics`: for those who run the gateway; no key. */
import type { ShardHealth } from '../broker/broker.js';
import type { HttpResponse } from '../transport/transport.js';
import { json } from './fleet.js';

export interface HealthDependencies {
  /** The broker's parts. */
  readonly health: () => readonly ShardHealth[];
  /** Anything but `serving` is not ready, so that no new clients are sent here. */
  readonly phase: () => 'starting' | 'serving' | 'stopping';
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/** The process answers; says nothing about the broker, so that its outage restarts nobody. */
export function live(): HttpResponse {
  return json({ status: 'ok' });
}

/** 200 if every part of the broker can serve, else 503; each part is named. */
export function ready({ health, phase }: HealthDependencies): HttpResponse {
  const shards = health();
  const isWhole = shards.every(({ state }) => state === 'ok');
  const status = phase() !== 'serving' ? phase() : isWhole ? 'ok' : 'lost';
  return json({ status, shards }, status === 'ok' ? 200 : 503);
}

export async function metrics({ metrics }: HealthDependencies): Promise<HttpResponse> {
  return { status: 200, headers: [['content-type', metrics.contentType]], body: await metrics.text() };
}
