import { type ClusterServers, type RedisNode, until } from '../support/redis-servers.js';

/** The fields of a client in CLIENT LIST. */
export type ClientFields = Readonly<Record<string, string>>;

/** Cuts connections to this server, except the one that asks. Returns how many. */
export async function killClients({ client }: RedisNode, which: (fields: ClientFields) => boolean): Promise<number> {
  const list = String(await client.call('CLIENT', 'LIST'));
  const clients = list
    .trim()
    .split('\n')
    .map((line) => Object.fromEntries(line.split(' ').map((field) => field.split('=', 2))) as ClientFields);
  const own = String(await client.call('CLIENT', 'ID'));
  const killed = await Promise.all(
    clients
      .filter((fields) => fields.id !== own && which(fields))
      .map(({ id = '' }) => client.call('CLIENT', 'KILL', 'ID', id)),
  );
  return killed.reduce<number>((sum, count) => sum + Number(count), 0);
}

export async function isMaster({ client }: RedisNode): Promise<boolean> {
  return (await client.info('replication')).includes('role:master');
}

/** When one of these became a master, ms. */
export async function promotion(replicas: readonly RedisNode[]): Promise<number> {
  const anyIsMaster = async () => (await Promise.all(replicas.map(isMaster))).includes(true);
  await until('a replica is promoted', anyIsMaster, 60_000, async () => {
    const views = await Promise.all(
      replicas.map(async (replica) => [
        await replica.client.info('replication'),
        await replica.client.call('CLUSTER', 'NODES').catch(String),
        await replica.logTail(),
      ]),
    );
    return views.flat().join('\n');
  });
  return Date.now();
}

/** From now on nothing of the master reaches its replica, which stands still until it is resumed. */
export async function cutReplication(master: RedisNode, replica: RedisNode): Promise<void> {
  replica.pause();
  // What is written later must not wait in the kernel for the replica to read it.
  await master.client.call('CLIENT', 'KILL', 'TYPE', 'replica');
}

/** Waits until every node of the cluster serves, or is in sync with a master. */
export async function rejoined({ nodes }: ClusterServers): Promise<void> {
  await until(
    'cluster is whole again',
    async () => {
      const infos = await Promise.all(
        nodes.map(async ({ client }) => [
          await client.info('replication'),
          String(await client.call('CLUSTER', 'INFO')),
        ]),
      );
      const masters = infos.filter(([replication]) => replication?.includes('role:master'));
      return (
        masters.length * 2 === nodes.length &&
        masters.every(([replication]) => replication?.includes('connected_slaves:1')) &&
        infos.every(([replication]) => /role:master|master_link_status:up/.test(replication ?? '')) &&
        infos.every(([, cluster]) => cluster?.includes('cluster_state:ok'))
      );
    },
    60_000,
  );
}
