/** Reading CLUSTER NODES, https://redis.io/docs/latest/commands/cluster-nodes/ */
import type { RedisAddress } from '../url.js';
import type { MasterAddress } from './topology.js';

export interface ClusterNode extends MasterAddress {
  readonly id: string;
  readonly isMaster: boolean;
  /** Whether the node counts as a part of the cluster: not if it is in handshake, or has no address. */
  readonly isUsable: boolean;
  readonly configEpoch: number;
  /** The slots that the node serves: first and last of each range. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** What one node answered to CLUSTER NODES. */
export interface ClusterAnswer {
  readonly nodes: readonly ClusterNode[];
  /** The ID of the node that answered. */
  readonly selfId: string;
  /**
   * Slots that the answering node is giving away or taking over, as it says itself: slot to the ID of the other node.
   */
  readonly migrating: ReadonlyMap<number, string>;
  readonly importing: ReadonlyMap<number, string>;
}

/** @param asked the address that the answer came from, since a node may not know its own */
export function parseClusterNodes(text: string, asked: RedisAddress, preferHostname = false): ClusterAnswer {
  const nodes: ClusterNode[] = [];
  const migrating = new Map<number, string>();
  const importing = new Map<number, string>();
  let selfId = '';
  for (const line of text.split('\n')) {
    const [id, endpoint, flagText, , , , epoch, , ...slots] = line.trim().split(' ');
    if (!id || !endpoint || !flagText) continue;
    const flags = flagText.split(',');
    if (flags.includes('myself')) selfId = id;
    const ranges: [number, number][] = [];
    for (const slot of slots) {
      const mark = /^\[(\d+)-([<>])-(\w+)\]$/.exec(slot);
      if (mark) {
        (mark[2] === '>' ? migrating : importing).set(Number(mark[1]), mark[3] as string);
        continue;
      }
      const [first, last] = slot.split('-').map(Number) as [number, number?];
      ranges.push([first, last ?? first]);
    }
    nodes.push({
      id,
      ...parseEndpoint(endpoint, asked, preferHostname),
      isMaster: flags.includes('master'),
      isUsable: !flags.includes('handshake') && !flags.includes('noaddr'),
      configEpoch: Number(epoch),
      ranges,
    });
  }
  return { nodes, selfId, migrating, importing };
}

/** Reads `ip:port@busPort[,hostname]`. The IP is empty where a node does not know its own. */
function parseEndpoint(endpoint: string, asked: RedisAddress, preferHostname: boolean): MasterAddress {
  const [address = '', hostname] = endpoint.split(',');
  const [hostAndPort = ''] = address.split('@');
  const colon = hostAndPort.lastIndexOf(':');
  const ip = hostAndPort.slice(0, colon);
  const host = (preferHostname && hostname) || ip || asked.host;
  const otherHost = host === hostname ? ip : hostname;
  return { host, port: Number(hostAndPort.slice(colon + 1)), ...(otherHost && { otherHost }) };
}
