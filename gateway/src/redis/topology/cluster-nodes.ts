/** Reading CLUSTER NODES, https://redis.io/docs/latest/commands/cluster-nodes/ */
import type { RedisAddress } from '../url.js';
import type { MasterAddress } from './topology.js';

export interface ClusterNode extends MasterAddress {
  readonly id: string;
  readonly isMaster: boolean;
  /** In handshake or without an address: not part of the cluster as far as we are concerned. */
  readonly isUsable: boolean;
  readonly configEpoch: number;
  /** Slots it serves, first and last of each range. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** What one node answered. */
export interface ClusterAnswer {
  readonly nodes: readonly ClusterNode[];
  /** The ID of the one that answered. */
  readonly selfId: string;
  /** Slots that the answering node hands over or takes, as it marks them itself: slot to the other's ID. */
  readonly migrating: ReadonlyMap<number, string>;
  readonly importing: ReadonlyMap<number, string>;
}

/** @param asked where the answer came from: a node may not know its own address. */
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

/** `ip:port@busPort[,hostname]`; the IP is empty where a node does not know its own. */
function parseEndpoint(endpoint: string, asked: RedisAddress, preferHostname: boolean): MasterAddress {
  const [address = '', hostname] = endpoint.split(',');
  const [hostAndPort = ''] = address.split('@');
  const colon = hostAndPort.lastIndexOf(':');
  const ip = hostAndPort.slice(0, colon);
  const host = (preferHostname && hostname) || ip || asked.host;
  const otherHost = host === hostname ? ip : hostname;
  return { host, port: Number(hostAndPort.slice(colon + 1)), ...(otherHost && { otherHost }) };
}
