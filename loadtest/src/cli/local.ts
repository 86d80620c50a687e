import type { TargetPlan } from '../run/plan.js';
import { TOPOLOGIES, Topology, type TopologyKind } from '../topology/topology.js';
import { UsageError, wholeNumber } from './flags.js';

interface LocalFlags {
  readonly gateways: string;
  readonly workers: string;
  readonly program?: string | undefined;
  readonly settings?: object | undefined;
}

/** @throws {UsageError} unless it is the name of a topology */
export function topologyKind(name: string): TopologyKind {
  const kind = TOPOLOGIES.find((one) => one === name);
  if (!kind) throw new UsageError(`--local takes ${TOPOLOGIES.join(', ')}, not ${name}`);
  return kind;
}

/** Starts gateways, and what is behind them, on this machine. */
export function startLocal(name: string, { gateways, workers, program, settings }: LocalFlags): Promise<Topology> {
  return Topology.start({
    kind: topologyKind(name),
    gateways: wholeNumber('gateways', gateways),
    workers: wholeNumber('workers', workers),
    program,
    settings,
  });
}

export function localTarget({ urls, apis }: Topology): TargetPlan {
  return { urls, apis, apiKey: 'dev', tokens: {} };
}
