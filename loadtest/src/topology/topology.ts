import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayProcess, startGateway } from './gateway-process.js';
import {
  type ClusterServers,
  freePort,
  type RedisNode,
  type SentinelServers,
  type StandaloneServers,
  startCluster,
  startRedis,
  startSentinel,
} from './redis-servers.js';

export const TOPOLOGIES = ['memory', 'standalone', 'sentinel', 'cluster'] as const;
export type TopologyKind = (typeof TOPOLOGIES)[number];

interface TopologyPlan {
  readonly kind: TopologyKind;
  readonly gateways: number;
  /** How many worker processes each gateway has. */
  readonly workers: number;
  /** The program of another build of the gateway. */
  readonly program?: string | undefined;
  /** Further settings of the gateways. They replace those that are set here. */
  readonly settings?: object | undefined;
}

export type Servers = StandaloneServers | SentinelServers | ClusterServers;

const HISTORY = { size: 500_000, ttl: '24h' };
const READY_DEADLINE_MS = 60_000;
const POLL_MS = 50;

/**
 * Gateways and Redis servers of our own on loopback. They are real processes, which end with this process at the
 * latest.
 */
export class Topology {
  readonly kind: TopologyKind;
  /** The Redis servers; `undefined` with the memory broker. */
  readonly servers: Servers | undefined;
  /** The gateways. One that is replaced keeps its place and its port. */
  readonly gateways: GatewayProcess[] = [];
  readonly #plan: TopologyPlan;
  readonly #config: object;

  private constructor(plan: TopologyPlan, servers: Servers | undefined) {
    this.kind = plan.kind;
    this.#plan = plan;
    this.servers = servers;
    const open = { subscribe: 'anyone', publish: 'anyone', presence: true };
    this.#config = {
      mode: 'development',
      host: '127.0.0.1',
      workers: plan.workers,
      ...(servers && { redisUrl: servers.url }),
      namespaces: {
        demo: { durable: true, history: HISTORY, ...open },
        live: { durable: false, ...open },
        // This history is shorter than what is published in the course of a fault.
        brief: { durable: true, history: { size: 10, ttl: '24h' }, ...open },
      },
      limits: { subscriptions: 0 },
      ...plan.settings,
    };
  }

  static async start(plan: TopologyPlan): Promise<Topology> {
    const topology = new Topology(plan, await startServers(plan.kind));
    try {
      for (let place = 0; place < plan.gateways; place++) {
        topology.gateways.push(await topology.#start(await freePort()));
      }
      await topology.ready();
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  get urls(): string[] {
    return this.gateways.map(({ url }) => url);
  }

  get apis(): string[] {
    return this.gateways.map(({ api }) => api);
  }

  /** Starts a gateway again on its port, if it does not run any more. */
  async replace(place: number): Promise<void> {
    const { port, isRunning } = this.gateways[place] as GatewayProcess;
    if (!isRunning) this.gateways[place] = await this.#start(port);
  }

  /** Resolves once every gateway says that it can serve everything. */
  async ready(): Promise<void> {
    await until('the gateways are ready', async () => (await Promise.all(this.apis.map(isReady))).every(Boolean));
  }

  /** Ends what faults left behind, so that everything runs and is ready. */
  async mend(): Promise<void> {
    for (const node of [...(this.servers?.nodes ?? []), ...sentinelsOf(this.servers)]) {
      if (isRunning(node)) node.resume();
      else await node.restart();
    }
    for (const [place, gateway] of this.gateways.entries()) {
      if (gateway.isRunning) gateway.signal('SIGCONT');
      else await this.replace(place);
    }
    await this.ready();
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.kill()));
    await this.servers?.stop();
  }

  #start(port: number): Promise<GatewayProcess> {
    return startGateway({ config: this.#config, port, program: this.#plan.program });
  }
}

function startServers(kind: TopologyKind): Promise<Servers | undefined> {
  // Data is kept on disk, so that a server that is killed comes back with everything that it acknowledged.
  const options = { appendonly: true };
  if (kind === 'standalone') return startRedis(options);
  if (kind === 'sentinel') return startSentinel({ ...options, replicas: 2 });
  return kind === 'cluster' ? startCluster(options) : Promise.resolve(undefined);
}

function sentinelsOf(servers: Servers | undefined): readonly RedisNode[] {
  return servers && 'sentinels' in servers ? servers.sentinels : [];
}

function isRunning(node: RedisNode): boolean {
  try {
    return node.pid > 0;
  } catch {
    return false;
  }
}

async function isReady(api: string): Promise<boolean> {
  try {
    return (await fetch(new URL('/health/ready', api), { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${READY_DEADLINE_MS / 1000} s`);
    await sleep(POLL_MS);
  }
}
