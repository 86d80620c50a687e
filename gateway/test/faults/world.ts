import type { ChannelSpec } from '../../src/broker/broker.js';
import type { LogPosition } from '../../src/broker/record.js';
import { readLog } from '../../src/broker/redis/scripts/scripts.js';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import { payloadValue } from '../support/broker-kit.js';
import { type GatewayProcess, type GatewayProcessOptions, startGatewayProcess } from '../support/gateway-process.js';
import type {
  ClusterServers,
  RedisNode,
  RedisServers,
  SentinelServers,
  StandaloneServers,
} from '../support/redis-servers.js';
import { until } from '../support/redis-servers.js';
import type { ChannelBook, Entry } from './ledger.js';
import type { Payload } from './subscriber.js';

export type Servers = StandaloneServers | ClusterServers | SentinelServers;

/** Keeps everything, so that the books can be closed against the whole log. */
const HISTORY = { size: 100_000, ttl: '1h' };
const NAMESPACE = 'f';
const PAGE = 1_000;

/** Real Redis servers and two real gateway processes on them. */
export class World<S extends Servers = Servers> {
  readonly servers: S;
  /** One that is replaced keeps its place. */
  readonly gateways: GatewayProcess[] = [];
  readonly #options: GatewayProcessOptions;

  private constructor(servers: S, options: GatewayProcessOptions) {
    this.servers = servers;
    this.#options = options;
  }

  /** @param options of both gateways, besides where Redis is */
  static async start<S extends Servers>(servers: S, options: GatewayProcessOptions = {}): Promise<World<S>> {
    const world = new World(servers, {
      ...options,
      settings: { REDIS_URL: servers.url, ...options.settings },
      file: {
        namespaces: { [NAMESPACE]: { durable: true, history: HISTORY, subscribe: 'anyone', publish: 'anyone' } },
      },
    });
    try {
      await Promise.all([world.replace(0), world.replace(1)]);
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  /** Starts a gateway in this place, where none runs any more. */
  async replace(place: number): Promise<void> {
    this.gateways[place] = await startGatewayProcess(this.#options);
  }

  /** Resolves once every gateway says that it can serve everything. */
  async ready(): Promise<void> {
    await until('gateways are ready', async () => {
      const views = await Promise.all(this.gateways.map(shardStates));
      return views.every((view) => view && [...view.values()].every((state) => state === 'ok'));
    });
  }

  /** Waits until no gateway takes this server for one that serves. Returns how long that took, ms. */
  async noticed({ port }: RedisNode): Promise<number> {
    const since = Date.now();
    await until('the gateways notice', async () => {
      const views = await Promise.all(this.gateways.map(shardStates));
      return views.every((view) => view && view.get(`127.0.0.1:${port}`) !== 'ok');
    });
    return Date.now() - since;
  }

  /** Ends what a fault that was not finished left behind: everything runs. */
  async mend(): Promise<void> {
    for (const node of this.servers.nodes) {
      if (isRunning(node)) node.resume();
      else await node.restart();
    }
    if ('sentinels' in this.servers) for (const sentinel of this.servers.sentinels) sentinel.resume();
    for (const [place, { pid }] of this.gateways.entries()) if (!signal(pid, 'SIGCONT')) await this.replace(place);
  }

  newChannel(nth: number): string {
    return `${NAMESPACE}:${nth}-${Math.random().toString(36).slice(2, 8)}`;
  }

  /** Who serves the log of a channel now. */
  async masterOf(channel: string): Promise<RedisNode> {
    const { servers } = this;
    if ('node' in servers) return servers.node;
    return 'master' in servers ? servers.master() : servers.masterOf(slotOf(channel));
  }

  /** The whole log of a channel, asked of its master past all gateways. */
  async log(channel: string): Promise<ChannelBook['log']> {
    const { client } = await this.masterOf(channel);
    const spec: ChannelSpec = { name: channel, durable: true, historySize: HISTORY.size, historyTtlMs: 3_600_000 };
    const entries: Entry[] = [];
    for (let after: LogPosition = { epoch: 0, offset: 0 }; ; ) {
      const { page } = await readLog(client, spec, { after, limit: PAGE });
      for (const record of page.entries) {
        entries.push({ at: { epoch: record.epoch, offset: record.offset }, n: (payloadValue(record) as Payload).n });
      }
      if (!page.more) return { head: page.head, lineage: page.lineage, entries };
      after = page.entries.at(-1) ?? after;
    }
  }

  async stop(): Promise<void> {
    for (const { pid } of this.gateways) signal(pid, 'SIGKILL');
    await Promise.all(this.gateways.map(({ exited }) => exited));
    await (this.servers as RedisServers).stop();
  }
}

export function slotOf(channel: string): number {
  return slotOfShard(shardOf(channel));
}

/** The parts of Redis as a gateway sees them, by name; `undefined`: it does not answer. */
export async function shardStates({ httpUrl }: GatewayProcess): Promise<Map<string, string> | undefined> {
  try {
    const response = await fetch(`${httpUrl}/health/ready`, { signal: AbortSignal.timeout(10_000) });
    const { shards } = (await response.json()) as { shards: { shard: string; state: string }[] };
    return new Map(shards.map(({ shard, state }) => [shard, state]));
  } catch {
    return undefined;
  }
}

/** A number of a gateway's `/metrics`; 0 of one that is gone. */
export async function metric({ httpUrl }: GatewayProcess, name: string): Promise<number> {
  const answer = await fetch(`${httpUrl}/metrics`).catch(() => undefined);
  const text = (await answer?.text()) ?? '';
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)`, 'm').exec(text)?.[1] ?? 0);
}

/** @returns whether the process is there. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function isRunning(node: RedisNode): boolean {
  try {
    return node.pid > 0;
  } catch {
    return false;
  }
}
