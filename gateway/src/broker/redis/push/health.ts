import type { ShardHealth } from '../../broker.js';
import type { ShardConnection } from './connection.js';
import type { VirtualShard } from './virtual-shard.js';

/** Name of the part that stands for all virtual shards without a master. */
export const UNSERVED = 'unserved';

/**
 * The state of each master: `ok` once it serves and every channel on it is acknowledged again. There is one more part,
 * `unserved`, if some virtual shards have no master.
 * @param problem why no master is known, if that is so
 * @param riskOf what keeps a master that serves from serving well, if there is anything
 */
export function shardHealth(
  connections: Iterable<ShardConnection>,
  shards: readonly VirtualShard[],
  problem: string | undefined,
  riskOf: (master: string) => string | undefined,
): ShardHealth[] {
  const interrupted = new Map<ShardConnection | undefined, number>();
  for (const { connection, interruptedCount } of shards) {
    interrupted.set(connection, (interrupted.get(connection) ?? 0) + interruptedCount);
  }
  const health = [...connections].map((connection) =>
    healthOf(connection, interrupted.get(connection) ?? 0, riskOf(connection.name)),
  );
  const unserved = shards.filter(({ connection }) => !connection).length;
  if (unserved > 0) {
    const detail = `${unserved} of ${shards.length} virtual shards: ${problem ?? 'no master serves their slots'}`;
    health.push({ shard: UNSERVED, state: 'lost', detail });
  }
  return health;
}

function healthOf(
  { name, link, problem }: ShardConnection,
  interrupted: number,
  risk: string | undefined,
): ShardHealth {
  if (!link) return { shard: name, state: 'lost', detail: problem ?? 'not connected' };
  if (interrupted > 0)
    return { shard: name, state: 'lost', detail: `${interrupted} channels are not subscribed again yet` };
  const detail = [link.warning, risk].filter((one) => one !== undefined).join('; ');
  return { shard: name, state: 'ok', ...(detail !== '' && { detail }) };
}
