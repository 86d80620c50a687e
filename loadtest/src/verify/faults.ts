import { setTimeout as sleep } from 'node:timers/promises';
import type { Trouble } from '../run/run.js';
import type { RedisNode } from '../topology/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../topology/slot-move.js';
import { type Servers, type Topology, type TopologyKind, until } from '../topology/topology.js';
import { type HostileKind, hostileClients } from './hostile.js';

/** What faults are given to work with. */
interface FaultContext {
  readonly trouble: Trouble;
  /** The URLs to which clients connect. */
  readonly urls: readonly string[];
  /**
   * The gateways and servers, if they are ours. If it is `undefined`, the deployment is one of the user, to which only
   * clients do anything.
   */
  readonly topology: Topology | undefined;
  readonly random: () => number;
}

export interface Fault {
  readonly name: string;
  /** Causes the fault. Resolves when everything that it broke runs again. */
  cause(context: FaultContext): Promise<void>;
}

const SLOTS = 16_384;

/** The faults that clients can cause on any deployment. */
const CLIENT_FAULTS: readonly Fault[] = [
  {
    name: 'a third of the connections is cut',
    cause: ({ trouble, random }) => trouble.cut(1 / 3, seed(random)),
  },
  { name: 'all connections are cut at once', cause: ({ trouble, random }) => trouble.cut(1, seed(random)) },
  {
    name: 'a quarter of the readers stops reading for 3 s',
    cause: async ({ trouble, random }) => {
      await trouble.stall(0.25, 3_000, seed(random));
      await pause(trouble, 3_000);
    },
  },
  hostile('malformed'),
  hostile('half-open'),
  hostile('deaf'),
];

function hostile(kind: HostileKind): Fault {
  return {
    name: `40 hostile clients: ${kind}`,
    cause: ({ urls, trouble, random }) => hostileClients({ urls, kind, count: 40, random, signal: trouble.signal }),
  };
}

const GATEWAY_FAULTS: readonly Fault[] = [
  {
    name: 'a gateway is killed (kill -9), and started again after 2 s',
    async cause({ topology, random, trouble }) {
      const gateways = (topology as Topology).gateways;
      const place = Math.floor(random() * gateways.length);
      await gateways[place]?.kill();
      await pause(trouble, 2_000);
      await topology?.replace(place);
    },
  },
  {
    name: 'a gateway stands still for 4 s (SIGSTOP)',
    async cause({ topology, random, trouble }) {
      const gateway = pick((topology as Topology).gateways, random);
      gateway.signal('SIGSTOP');
      await pause(trouble, 4_000);
      gateway.signal('SIGCONT');
    },
  },
];

const REDIS_FAULTS: readonly Fault[] = [
  {
    name: "the gateways' subscribing connections to Redis are cut",
    cause: async ({ topology }) => onEach(topology, ({ client }) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
  },
  {
    name: 'all connections to Redis are cut',
    cause: async ({ topology }) => onEach(topology, ({ client }) => client.call('CLIENT', 'KILL', 'TYPE', 'normal')),
  },
];

const STANDALONE_FAULTS: readonly Fault[] = [
  {
    name: 'Redis is killed (kill -9), and started again after 1 s',
    async cause({ topology, trouble }) {
      const [node] = nodesOf(topology);
      await node?.kill9();
      await pause(trouble, 1_000);
      await node?.restart();
      await topology?.ready();
    },
  },
  { name: 'Redis hangs for 4 s (SIGSTOP)', cause: (context) => hang(context, nodesOf(context.topology)[0], 4_000) },
];

const FAILOVER_FAULTS: readonly Fault[] = [
  {
    name: 'a master is killed (kill -9), a replica takes over, it comes back',
    async cause(context) {
      const { topology, trouble } = context;
      const master = await aMaster(context);
      await master.kill9();
      await until('a replica took over', async () => !(await mastersOf(topology)).includes(master));
      await pause(trouble, 1_000);
      await master.restart();
      await whole(topology);
    },
  },
  {
    name: 'a master hangs (SIGSTOP), is replaced, and wakes up',
    async cause(context) {
      const { topology, trouble } = context;
      const master = await aMaster(context);
      master.pause();
      await until('a replica took over', async () => !(await mastersOf(topology)).includes(master)).finally(() =>
        master.resume(),
      );
      await pause(trouble, 1_000);
      await whole(topology);
    },
  },
  {
    name: 'a planned failover',
    async cause(context) {
      const { topology } = context;
      const before = await aMaster(context);
      const servers = topology?.servers as Servers;
      if ('sentinels' in servers) await servers.failOver();
      else if ('replicasOf' in servers) {
        const [replica] = await servers.replicasOf(before);
        if (replica) await servers.promote(replica);
      }
      await until('a replica took over', async () => !(await mastersOf(topology)).includes(before));
      await whole(topology);
    },
  },
];

const CLUSTER_FAULTS: readonly Fault[] = [
  {
    name: '20 slots move to another master',
    async cause({ topology, random, trouble }) {
      const servers = topology?.servers;
      if (!servers || !('masterOf' in servers)) return;
      for (let i = 0; i < 20 && !trouble.signal.aborted; i++) {
        const slot = Math.floor(random() * SLOTS);
        const source = await servers.masterOf(slot);
        const others = (await mastersOf(topology)).filter((node) => node !== source);
        const move = await beginMove(servers, slot, pick(others, random));
        await moveKeys(move);
        await tellMoved(move.target, move);
        await tellMoved(move.source, move);
      }
    },
  },
];

/**
 * Returns every fault that a deployment can be made to suffer. If `kind` is `undefined`, the deployment is not ours.
 * There is a list for faults of clients, one for gateways and one for Redis. Faults of different lists may happen at
 * once.
 */
export function faultsFor(kind: TopologyKind | undefined): readonly (readonly Fault[])[] {
  if (kind === undefined || kind === 'memory') return [CLIENT_FAULTS];
  const ofTopology =
    kind === 'standalone' ? STANDALONE_FAULTS : [...FAILOVER_FAULTS, ...(kind === 'cluster' ? CLUSTER_FAULTS : [])];
  return [CLIENT_FAULTS, GATEWAY_FAULTS, [...REDIS_FAULTS, ...ofTopology]];
}

async function aMaster({ topology, random }: FaultContext): Promise<RedisNode> {
  await whole(topology);
  return pick(await mastersOf(topology), random);
}

/** The nodes that say that they are masters, among those that answer. */
async function mastersOf(topology: Topology | undefined): Promise<RedisNode[]> {
  const servers = topology?.servers;
  if (!servers) return [];
  if ('master' in servers) return [await servers.master()];
  const nodes = nodesOf(topology);
  const roles = await Promise.all(nodes.map(roleOf));
  return nodes.filter((_, index) => roles[index]?.includes('role:master'));
}

/** Waits until every server serves, and every replica is in sync. */
async function whole(topology: Topology | undefined): Promise<void> {
  const nodes = nodesOf(topology);
  await until('all servers are back', async () => {
    const roles = await Promise.all(nodes.map(roleOf));
    if (!roles.every((role) => /role:master|master_link_status:up/.test(role))) return false;
    if (topology?.kind !== 'cluster') return roles.filter((role) => role.includes('role:master')).length === 1;
    const infos = await Promise.all(nodes.map(({ client }) => client.call('CLUSTER', 'INFO')));
    const masters = roles.filter((role) => role.includes('role:master'));
    return (
      masters.length * 2 === nodes.length &&
      masters.every((role) => role.includes('connected_slaves:1')) &&
      infos.every((info) => String(info).includes('cluster_state:ok'))
    );
  });
}

/** The replication state of a node; empty if it does not answer within a second. */
async function roleOf({ client }: RedisNode): Promise<string> {
  const answer = client.info('replication').catch(() => '');
  return Promise.race([answer, sleep(1_000, '', { ref: false })]);
}

async function hang({ trouble }: FaultContext, node: RedisNode | undefined, ms: number): Promise<void> {
  node?.pause();
  await pause(trouble, ms);
  node?.resume();
}

async function onEach(topology: Topology | undefined, action: (node: RedisNode) => Promise<unknown>): Promise<void> {
  await Promise.all(nodesOf(topology).map((node) => action(node).catch(() => {})));
}

function nodesOf(topology: Topology | undefined): readonly RedisNode[] {
  return topology?.servers?.nodes ?? [];
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T;
}

function seed(random: () => number): number {
  return Math.floor(random() * 2 ** 31);
}

/** Waits for so long, or until the run ends. */
async function pause({ signal }: Trouble, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
