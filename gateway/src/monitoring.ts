import type { HttpDependencies } from './api/api.js';
import type { Authentication } from './authentication.js';
import type { Clock } from './clock.js';
import type { Engine } from './engines.js';
import type { Hub } from './hub/hub.js';
import { withStalls } from './hub/stalls.js';
import { createSharedMetrics, type WorkerMetrics } from './observability/metrics.js';
import type { SelfProbe } from './probe/self-probe.js';
import type { Stats } from './stats.js';
import { VERSION } from './version.js';
import type { Webhooks } from './webhooks/webhooks.js';

/** What a gateway has at this moment, since it listens before its broker is there. */
export interface GatewayState {
  phase: ReturnType<HttpDependencies['phase']>;
  /** The engine; `undefined` until the broker can serve. */
  engine: Engine | undefined;
  /** The parts; `undefined` until they are put together. */
  parts: MonitoredParts | undefined;
}

interface MonitoredParts {
  readonly hub: Pick<Hub, 'stalls'>;
  readonly authentication: Pick<Authentication, 'services' | 'jwksKeys'>;
  /** The webhooks; `undefined` if none are configured. */
  readonly webhooks: Webhooks | undefined;
  /** The self-probe; `undefined` if it is off. */
  readonly probe: SelfProbe | undefined;
}

interface MonitoringOptions {
  readonly clock: Clock;
  readonly stats: Stats;
  readonly node: string;
  /** Set if this process is one of several workers; `undefined`: it is the whole gateway. */
  readonly worker: WorkerMetrics | undefined;
  /** How many lines the log has lost so far; `undefined`: nobody counts them. */
  readonly logLinesLost: (() => number) | undefined;
}

/** Answers health checks and `/metrics` by what is there of the gateway at that moment. */
export function createMonitoring(
  state: Readonly<GatewayState>,
  { clock, stats, node, worker, logLinesLost }: MonitoringOptions,
): Pick<HttpDependencies, 'phase' | 'health' | 'metrics'> {
  const brokerHealth = () => state.engine?.broker.health() ?? [];
  const stalls = () => state.parts?.hub.stalls() ?? [];
  const services = () => {
    if (!state.parts) return [];
    const { authentication, webhooks } = state.parts;
    return [...authentication.services(), ...(webhooks ? [{ service: 'webhooks', isUp: webhooks.isUp }] : [])];
  };
  return {
    phase: () => state.phase,
    health: () => {
      const health = withStalls(brokerHealth(), stalls());
      return state.parts?.probe?.apply(health) ?? health;
    },
    metrics: createSharedMetrics(
      {
        stats,
        node,
        version: VERSION,
        health: brokerHealth,
        stalls,
        probes: () => state.parts?.probe?.states() ?? [],
        brokerStats: () => state.engine?.broker.stats?.() ?? {},
        brokerRefusals: () => state.engine?.broker.refusals?.() ?? {},
        webhookStats: () => state.parts?.webhooks?.queue.stats,
        services,
        jwksKeys: () => state.parts?.authentication.jwksKeys(),
        logLinesLost,
      },
      worker,
      clock,
    ),
  };
}
