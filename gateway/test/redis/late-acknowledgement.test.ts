import { readFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { type RedisNode, startCluster, until } from '../support/redis-servers.js';

/** So long that nothing else is taken for it. */
const DURING = 'during'.padEnd(20_000);

/** How many bytes wait for a server in the fullest of its connections. */
async function unread({ port }: RedisNode): Promise<number> {
  const own = `:${port.toString(16).toUpperCase()}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  // Of each connection: a number, the address of this end, that of the other one, the state, what waits for it and here.
  const queues = lines.filter(([, local]) => local?.endsWith(own)).map(([, , , , queue]) => queue?.split(':')[1]);
  return Math.max(...queues.map((bytes) => Number.parseInt(bytes ?? '', 16)));
}

/** A channel of this master, in a slot that no channel before had. */
function channelOn(slots: readonly [number, number], taken: Set<number>): string {
  for (let n = 0; ; n++) {
    const channel = `demo:${n}`;
    const slot = slotOfShard(shardOf(channel));
    if (slot < slots[0] || slot > slots[1] || taken.has(slot)) continue;
    taken.add(slot);
    return channel;
  }
}

it('what a master acknowledges that was frozen together with the gateway, and deposed meanwhile, is not believed', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: cluster.url } });
  onTestFinished(() => gateway.stop());
  const master = cluster.nodes[0] as RedisNode;
  const [replica] = await cluster.replicasOf(master);
  const taken = new Set<number>();
  const slots = [0, 5_000] as const;
  const [keyless, keyed] = [channelOn(slots, taken), channelOn(slots, taken)];
  for (const channel of [keyless, keyed]) {
    expect((await gateway.publish({ channel, data: 'before' })).status).toBe(200);
  }
  await until('the replica has them', async () => (await replica?.client.dbsize()) === (await master.client.dbsize()));

  const stored = async () =>
    Number(/cmdstat_spublish:calls=(\d+)/.exec(await master.client.info('commandstats'))?.[1] ?? 0);
  const before = await stored();
  master.pause();
  const publishing = Promise.all([
    gateway.publish({ channel: keyless, data: DURING }),
    gateway.publish({ channel: keyed, data: DURING, key: 'k' }),
  ]);
  await until('both are on their way', async () => (await unread(master)) > 2 * DURING.length);
  await gateway.signal('SIGSTOP');
  try {
    const slot = slotOfShard(shardOf(keyless));
    await until('another one is promoted', async () => (await cluster.masterOf(slot)) === replica);
    master.resume();
    await until('the old one has stored them', async () => (await stored()) === before + 2);
  } finally {
    await gateway.signal('SIGCONT');
  }
  const [unsure, sure] = await publishing;
  expect(unsure.body).toMatchObject({ code: 'outcome_unknown' });
  expect(sure.status).toBe(200);
  const headers = { authorization: 'Bearer dev' };
  const history = async (channel: string) => {
    const answer = await fetch(`${gateway.httpUrl}/v1/history?channel=${channel}`, { headers });
    return ((await answer.json()) as { messages: { epoch: string; offset: number; data: string }[] }).messages;
  };
  const { epoch, offset } = sure.body;
  expect(await history(keyed)).toContainEqual(expect.objectContaining({ epoch, offset, data: DURING }));
  expect((await history(keyless)).map(({ data }) => data)).toEqual(['before']);
});
