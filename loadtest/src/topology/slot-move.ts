import type { ClusterServers, RedisNode } from './redis-servers.js';

/** A slot on its way from one master to another, step by step. */
export interface SlotMove {
  readonly slot: number;
  readonly source: RedisNode;
  readonly target: RedisNode;
  readonly sourceId: string;
  readonly targetId: string;
}

/** Marks the slot as leaving its master for another one. */
export async function beginMove(cluster: ClusterServers, slot: number, to?: RedisNode): Promise<SlotMove> {
  const source = await cluster.masterOf(slot);
  const target = to ?? (cluster.nodes.find((node) => node !== source) as RedisNode);
  const [sourceId, targetId] = await Promise.all([cluster.idOf(source), cluster.idOf(target)]);
  await target.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
  await source.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
  return { slot, source, target, sourceId, targetId };
}

/** Moves keys, all of them by default. */
export async function moveKeys(
  { slot, source, target }: SlotMove,
  which: (key: string) => boolean = () => true,
): Promise<void> {
  for (;;) {
    const keys = (await source.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
    const wanted = keys.filter(which);
    if (wanted.length === 0) return;
    await source.client.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'KEYS', ...wanted);
  }
}

/** Tells one node that the slot has moved. */
export async function tellMoved(node: RedisNode, { slot, targetId }: SlotMove): Promise<void> {
  await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
}
