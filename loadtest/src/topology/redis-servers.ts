/**
 * Real Redis servers: standalone, Cluster, Sentinel. Each set has its own ports and
 * folders, listens on loopback only, and ends with this process at the latest.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { type RedisNode, startNode } from './redis-process.js';

export { freePort, type RedisNode } from './redis-process.js';

/**
 * How long Redis tries a planned failover, ms. After that it gives up without a word (`CLUSTER_MF_TIMEOUT`), which
 * happens on a busy machine.
 */
const MANUAL_FAILOVER_MS = 5_000;

/** How long sentinels may try a failover, ms (`failover-timeout`). They give up where a step takes longer. */
const SENTINEL_FAILOVER_MS = 5_000;

export interface RedisServers {
  /** The value for `FANFARE_REDIS_URL`. */
  readonly url: string;
  /** All servers that hold data. */
  readonly nodes: readonly RedisNode[];
  /** Ends all processes, including frozen ones, and removes their folders. */
  stop(): Promise<void>;
}

export interface StandaloneServers extends RedisServers {
  readonly node: RedisNode;
  readonly replicas: readonly RedisNode[];
}

export interface ClusterServers extends RedisServers {
  /** The node that claims this slot, in the view of a majority that answers within a second. */
  masterOf(slot: number): Promise<RedisNode>;
  /** The replicas of a master, in its own view. */
  replicasOf(master: RedisNode): Promise<RedisNode[]>;
  /** Makes a replica the master of its shard by a planned failover. */
  promote(replica: RedisNode): Promise<void>;
  /** The 40 digits by which the cluster knows a node. */
  idOf(node: RedisNode): Promise<string>;
}

export interface SentinelServers extends RedisServers {
  readonly masterName: string;
  readonly sentinels: readonly RedisNode[];
  /** The node that most sentinels call master now: the one that led a failover says so before the others have heard. */
  master(): Promise<RedisNode>;
  /** Makes a replica the master by a planned failover. Resolves once most sentinels name it. */
  failOver(): Promise<void>;
}

export interface ServerOptions {
  /**
   * Whether servers have an append-only file, so that a killed one comes back with its data. Default false: it comes
   * back empty.
   */
  readonly appendonly?: boolean;
  /** Further settings, as in redis.conf. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Starts one server, and replicas of it if they are asked for. */
export async function startRedis(
  options: ServerOptions & { readonly replicas?: number } = {},
): Promise<StandaloneServers> {
  const node = await startServer(options);
  const replicas = await startReplicas(node, options.replicas ?? 0, options);
  return { url: node.url, node, replicas, nodes: [node, ...replicas], stop: () => stopAll([node, ...replicas]) };
}

/** Starts a cluster in which nobody has been elected yet: the first `masters` nodes are the masters. */
export async function startCluster(
  options: ServerOptions & {
    readonly masters?: number;
    readonly replicas?: number;
    readonly nodeTimeoutMs?: number;
  } = {},
): Promise<ClusterServers> {
  const { masters = 3, replicas = 1, nodeTimeoutMs = 1000 } = options;
  const config = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': String(nodeTimeoutMs),
    'cluster-allow-replica-migration': 'no',
    // A replica may be promoted however long a fault lasts. By default it may only be promoted within 11 s, with this
    // timeout.
    'cluster-replica-validity-factor': '0',
    ...options.config,
  };
  const nodes = await Promise.all(
    Array.from({ length: masters * (1 + replicas) }, () => startServer({ ...options, config })),
  );
  const servers = new Cluster(nodes);
  try {
    await servers.form(masters);
  } catch (error) {
    await servers.stop();
    throw error;
  }
  return servers;
}

class Cluster implements ClusterServers {
  readonly url: string;

  constructor(readonly nodes: readonly RedisNode[]) {
    this.url = `redis+cluster://${nodes.map((node) => `127.0.0.1:${node.port}`).join(',')}`;
  }

  async form(masterCount: number): Promise<void> {
    const { nodes } = this;
    await Promise.all(nodes.map((node, i) => node.client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)));
    await Promise.all(
      nodes.slice(0, masterCount).map((node, i) => {
        const first = Math.ceil((i * 16384) / masterCount);
        const last = Math.ceil(((i + 1) * 16384) / masterCount) - 1;
        return node.client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
      }),
    );
    for (const [i, node] of nodes.entries()) {
      for (const other of nodes.slice(i + 1)) await node.client.call('CLUSTER', 'MEET', '127.0.0.1', other.port);
    }
    const known = `cluster_known_nodes:${nodes.length}`;
    await until('nodes know each other', () => this.#everywhere((info) => info.includes(known)));
    await Promise.all(
      nodes.slice(masterCount).map(async (node, i) => {
        const master = nodes[i % masterCount] as RedisNode;
        const id = await this.idOf(master);
        await until('replica knows its master', () => succeeds(node.client.call('CLUSTER', 'REPLICATE', id)));
        await until('replica is in sync', () => isInSync(node));
      }),
    );
    const states = `cluster_state:ok`;
    await until('cluster is ok', () => this.#everywhere((info) => info.includes(states)));
    await until('all see all roles', () => this.#allSeeReplicas(nodes.length - masterCount));
  }

  async #everywhere(holds: (info: string) => boolean): Promise<boolean> {
    const infos = await Promise.all(this.nodes.map((node) => node.client.call('CLUSTER', 'INFO')));
    return infos.every((info) => holds(String(info)));
  }

  async #allSeeReplicas(count: number): Promise<boolean> {
    const views = await Promise.all(this.nodes.map((node) => node.client.call('CLUSTER', 'NODES')));
    return views.every((view) => String(view).match(/\bslave\b/g)?.length === (count || undefined));
  }

  async idOf(node: RedisNode): Promise<string> {
    return String(await node.client.call('CLUSTER', 'MYID'));
  }

  masterOf(slot: number): Promise<RedisNode> {
    return mostNamed(`somebody claims slot ${slot}`, this.nodes, () =>
      Promise.all(
        this.nodes.map(async (node) => {
          const ranges = await orUndefined(
            node.client.call('CLUSTER', 'SLOTS') as Promise<[number, number, [string, number]][]>,
          );
          return ranges?.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
        }),
      ),
    );
  }

  async replicasOf(master: RedisNode): Promise<RedisNode[]> {
    const lines = (await master.client.call('CLUSTER', 'REPLICAS', await this.idOf(master))) as string[];
    const ports = lines.map((line) => Number(/:(\d+)@/.exec(line)?.[1]));
    return this.nodes.filter((node) => ports.includes(node.port));
  }

  async promote(replica: RedisNode): Promise<void> {
    let askedAt = Number.NEGATIVE_INFINITY;
    const isMaster = async () => {
      if ((await replica.client.info('replication')).includes('role:master')) return true;
      const isDue = Date.now() - askedAt > MANUAL_FAILOVER_MS;
      if (isDue && (await succeeds(replica.client.call('CLUSTER', 'FAILOVER')))) askedAt = Date.now();
      return false;
    };
    await until('the replica is promoted', isMaster, 60_000, () => replica.logTail());
  }

  stop(): Promise<void> {
    return stopAll(this.nodes);
  }
}

/** Starts one master, its replicas, and the sentinels that watch them. */
export async function startSentinel(
  options: ServerOptions & {
    readonly sentinels?: number;
    readonly replicas?: number;
    readonly downAfterMs?: number;
  } = {},
): Promise<SentinelServers> {
  const { sentinels: count = 3, replicas: replicaCount = 1, downAfterMs = 1000 } = options;
  const masterName = 'main';
  const master = await startServer(options);
  const nodes = [master, ...(await startReplicas(master, replicaCount, options))];
  const config = (port: number, dir: string) =>
    [
      'bind 127.0.0.1',
      'protected-mode no',
      `port ${port}`,
      `dir ${dir}`,
      `logfile ${join(dir, 'server.log')}`,
      `sentinel monitor ${masterName} 127.0.0.1 ${master.port} ${Math.floor(count / 2) + 1}`,
      `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
      `sentinel failover-timeout ${masterName} ${SENTINEL_FAILOVER_MS}`,
      '',
    ].join('\n');
  const startOne = async () =>
    startNode({
      program: 'redis-sentinel',
      args: async (port, dir) => {
        const file = join(dir, 'sentinel.conf');
        await writeFile(file, config(port, dir));
        return [file];
      },
    });
  const sentinels = await Promise.all(Array.from({ length: count }, startOne));
  const all = [...sentinels, ...nodes];
  const hosts = sentinels.map((sentinel) => `127.0.0.1:${sentinel.port}`).join(',');
  try {
    await Promise.all(
      sentinels.map(({ client }) =>
        until('sentinel knows the others', async () => {
          const others = (await client.call('SENTINEL', 'SENTINELS', masterName)) as unknown[];
          const replicas = (await client.call('SENTINEL', 'REPLICAS', masterName)) as string[][];
          return others.length === count - 1 && replicas.filter(mayBePromoted).length === replicaCount;
        }),
      ),
    );
  } catch (error) {
    await stopAll(all);
    throw error;
  }
  const currentMaster = () =>
    mostNamed('a sentinel names a master', nodes, () =>
      Promise.all(
        sentinels.map(async ({ client }) => {
          const answer = client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName) as Promise<[string, string]>;
          return Number((await orUndefined(answer))?.[1]);
        }),
      ),
    );
  return {
    url: `redis+sentinel://${hosts}/${masterName}`,
    masterName,
    nodes,
    sentinels,
    master: currentMaster,
    async failOver() {
      const before = await currentMaster();
      const [leader] = sentinels as [RedisNode];
      let askedAt = Number.NEGATIVE_INFINITY;
      const isOver = async () => {
        if ((await currentMaster()) !== before) return true;
        // It is refused while the last failover is too recent, and while no replica is heard of.
        const isDue = Date.now() - askedAt > 2 * SENTINEL_FAILOVER_MS;
        if (isDue && (await succeeds(leader.client.call('SENTINEL', 'FAILOVER', masterName)))) askedAt = Date.now();
        return false;
      };
      await until('most sentinels name another master', isOver, 60_000, () => leader.logTail());
    },
    stop: () => stopAll(all),
  };
}

/** Whether a sentinel has heard from this replica, so that it would promote it. @param fields as SENTINEL REPLICAS lists them */
function mayBePromoted(fields: readonly string[]): boolean {
  const field = (name: string) => fields[fields.indexOf(name) + 1];
  return field('flags') === 'slave' && field('master-link-status') === 'ok';
}

function startServer(options: ServerOptions): Promise<RedisNode> {
  const settings = {
    bind: '127.0.0.1',
    'protected-mode': 'no',
    save: '',
    appendonly: options.appendonly ? 'yes' : 'no',
    // Written before it answers, so that a kill -9 takes nothing: by default a slow fsync lets answers go first.
    appendfsync: 'no',
    'repl-diskless-sync-delay': '0',
    'repl-ping-replica-period': '1',
    ...options.config,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return startNode({
    program: 'redis-server',
    args: (at, dir) => ['--port', String(at), '--dir', dir, '--logfile', join(dir, 'server.log'), ...args],
  });
}

async function startReplicas(master: RedisNode, count: number, options: ServerOptions): Promise<RedisNode[]> {
  const config = { ...options.config, replicaof: `127.0.0.1 ${master.port}` };
  const replicas = await Promise.all(Array.from({ length: count }, () => startServer({ ...options, config })));
  await Promise.all(replicas.map((replica) => until('replica is in sync', () => isInSync(replica))));
  return replicas;
}

async function isInSync(replica: RedisNode): Promise<boolean> {
  return (await replica.client.info('replication')).includes('master_link_status:up');
}

async function stopAll(nodes: readonly RedisNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()));
}

/**
 * Waits until this holds, and asks every 20 ms. Rejects after `timeoutMs` (default 60 s), with what `state` returns
 * then, so that a run that failed once, elsewhere, can be understood from its output alone.
 */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
  state?: () => Promise<string> | string,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) {
      const seen = state ? `; ${await state()}` : '';
      throw new Error(`${what}: not within ${timeoutMs} ms${seen}`);
    }
    await delay(20);
  }
}

function succeeds(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

/** Returns the node whose port most of those who answer name. They are asked until one does. */
async function mostNamed(
  what: string,
  nodes: readonly RedisNode[],
  ask: () => Promise<readonly (number | undefined)[]>,
): Promise<RedisNode> {
  let named: RedisNode | undefined;
  await until(what, async () => {
    const votes = new Map<number, number>();
    for (const port of await ask()) if (port) votes.set(port, (votes.get(port) ?? 0) + 1);
    const [most] = [...votes].sort((a, b) => b[1] - a[1]);
    named = nodes.find((node) => node.port === most?.[0]);
    return named !== undefined;
  });
  return named as RedisNode;
}

/**
 * The result of a call; `undefined` if it fails or takes longer than a second, because a frozen or dead node has no
 * say.
 */
function orUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  // Where this process itself stood still, answers have come meanwhile: they are read before the immediate.
  const inVain = delay(1000, undefined, { ref: false }).then(() => setImmediate(undefined));
  return Promise.race([call.catch(() => undefined), inVain]);
}
