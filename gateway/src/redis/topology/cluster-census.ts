import type { Redis } from 'ioredis';
import { formatAddress, type RedisAddress } from '../url.js';
import { type ClusterAnswer, type ClusterNode, parseClusterNodes } from './cluster-nodes.js';
import type { Agreement, Answers, Census } from './polled-topology.js';
import { type MasterAddress, SHARD_SLOTS } from './topology.js';

interface Claim {
  readonly node: ClusterNode;
  readonly epoch: number;
}

/**
 * What the nodes of a Redis Cluster say together. For each slot, the claim with the highest config epoch wins. What
 * other nodes say of a node that answered itself counts only if it is newer than the answer of that node.
 */
export class ClusterCensus implements Census<ClusterAnswer> {
  readonly #preferHostname: boolean;

  /** @param preferHostname whether nodes that announce a hostname are called by it, as certificates name them */
  constructor(preferHostname = false) {
    this.#preferHostname = preferHostname;
  }

  async ask(redis: Redis, address: RedisAddress): Promise<ClusterAnswer> {
    return parseClusterNodes(String(await redis.call('CLUSTER', 'NODES')), address, this.#preferHostname);
  }

  peers(answers: Answers<ClusterAnswer>): RedisAddress[] {
    const peers = new Map<string, RedisAddress>();
    for (const { nodes } of answers.values()) {
      for (const node of nodes) if (node.isUsable) peers.set(formatAddress(node), { host: node.host, port: node.port });
    }
    return [...peers.values()];
  }

  agree(answers: Answers<ClusterAnswer>): Agreement {
    const given = [...answers.values()];
    const claims = claimsOf(given);
    const owners = new Map([...claims].map(([slot, { node }]) => [slot, formatAddress(node)]));
    const voters = new Set([...claims.values()].map(({ node }) => node.id));
    const heard = new Set(given.map(({ selfId }) => selfId));
    const votes = [...voters].filter((id) => heard.has(id)).length;
    return {
      view: { masters: mastersOf(claims, given), owners, moving: movingSlots(claims, given) },
      isMajority: votes * 2 > voters.size,
    };
  }
}

/** The winning claim of each slot in which a virtual shard lives. */
function claimsOf(answers: readonly ClusterAnswer[]): Map<number, Claim> {
  const spokeForThemselves = new Map<string, number>();
  for (const answer of answers) {
    const self = selfOf(answer);
    if (self) spokeForThemselves.set(self.id, self.configEpoch);
  }
  const claims = new Map<number, Claim>();
  for (const { nodes, selfId } of answers) {
    for (const node of nodes) {
      if (!node.isMaster || !node.isUsable) continue;
      const isHearsay = node.id !== selfId && (spokeForThemselves.get(node.id) ?? -1) >= node.configEpoch;
      if (isHearsay) continue;
      for (const slot of slotsOf(node)) {
        const best = claims.get(slot);
        if (!best || node.configEpoch > best.epoch) claims.set(slot, { node, epoch: node.configEpoch });
      }
    }
  }
  return claims;
}

function* slotsOf(node: ClusterNode): Iterable<number> {
  for (const [first, last] of node.ranges) {
    for (let i = indexFrom(first); i < SHARD_SLOTS.length; i++) {
      const slot = SHARD_SLOTS[i] as number;
      if (slot > last) break;
      yield slot;
    }
  }
}

/** Index in `SHARD_SLOTS` of the first slot that is not below this one. */
function indexFrom(slot: number): number {
  let low = 0;
  let high = SHARD_SLOTS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((SHARD_SLOTS[middle] as number) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The masters that serve slots of ours, and those to which such a slot is being moved. */
function mastersOf(claims: ReadonlyMap<number, Claim>, answers: readonly ClusterAnswer[]): Map<string, MasterAddress> {
  const masters = new Map<string, MasterAddress>();
  const add = ({ host, port, otherHost }: MasterAddress) =>
    masters.set(formatAddress({ host, port }), { host, port, ...(otherHost !== undefined && { otherHost }) });
  for (const { node } of claims.values()) add(node);
  for (const answer of answers) {
    const self = selfOf(answer);
    if (self?.isMaster && answer.importing.size > 0) add(self);
  }
  return masters;
}

/** The slots that are being moved. A mark that stayed behind after a slot had moved does not count. */
function movingSlots(claims: ReadonlyMap<number, Claim>, answers: readonly ClusterAnswer[]): Set<number> {
  const moving = new Set<number>();
  for (const { selfId, migrating, importing } of answers) {
    for (const slot of migrating.keys()) if (claims.get(slot)?.node.id === selfId) moving.add(slot);
    for (const slot of importing.keys()) if (claims.has(slot) && claims.get(slot)?.node.id !== selfId) moving.add(slot);
  }
  return moving;
}

function selfOf({ nodes, selfId }: ClusterAnswer): ClusterNode | undefined {
  return nodes.find(({ id }) => id === selfId);
}
