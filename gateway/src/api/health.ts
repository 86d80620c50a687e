/** `GET /health/live`, `GET /health/ready`, `GET /metrics`: for those who run the gateway. They need no key. */
import type { ShardHealth } from '../broker/broker.js';
import type { HttpResponse } from '../transport/transport.js';
import { json } from './fleet.js';

export interface HealthDependencies {
  /** The state of each part of the broker. */
  readonly health: () => readonly ShardHealth[];
  /**
   * The phase in the life of the gateway. Only `serving` counts as ready, so that otherwise no new clients are sent
   * here.
   */
  readonly phase: () => 'starting' | 'serving' | 'stopping';
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/**
 * Answers that the process lives. It says nothing about the broker, so that an outage of that does not restart
 * gateways.
 */
export function live(): HttpResponse {
  return json({ status: 'ok' });
}

/** Answers 200 if every part of the broker can serve, otherwise 503. Each part is named. */
export function ready({ health, phase }: HealthDependencies): HttpResponse {
  const shards = health();
  const isWhole = shards.every(({ state }) => state === 'ok');
  const status = phase() !== 'serving' ? phase() : isWhole ? 'ok' : 'lost';
  return json({ status, shards }, status === 'ok' ? 200 : 503);
}

export async function metrics({ metrics }: HealthDependencies): Promise<HttpResponse> {
  return { status: 200, headers: [['content-type', metrics.contentType]], body: await metrics.text() };
}
