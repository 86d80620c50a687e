import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SHARD_SLOTS } from '../../src/redis/topology/topology.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { type RedisServers, startCluster, startSentinel, until } from '../support/redis-servers.js';

/** An address that leads where it is told to, as a name in a DNS does. */
async function startName(port: number) {
  let target = port;
  const server = createServer((client) => {
    const upstream = dial(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      socket.on('error', () => {}).on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (another: number) => {
      target = another;
    },
  };
}

async function started<Servers extends RedisServers>(starting: Promise<Servers>): Promise<Servers> {
  const servers = await starting;
  onTestFinished(() => servers.stop());
  return servers;
}

async function subscribeTo(url: string): Promise<RedisSubscriber> {
  const subscriber = new RedisSubscriber({ target: parseRedisUrl(url), clock: systemClock });
  onTestFinished(() => subscriber.close());
  await subscriber.start();
  return subscriber;
}

const okAt = (port: number | undefined) => [{ shard: `127.0.0.1:${port}`, state: 'ok' }];

it('a cluster is found again, by the name in the URL, after all its nodes moved', async () => {
  const [before, after] = await Promise.all([
    started(startCluster({ masters: 1, replicas: 0 })),
    started(startCluster({ masters: 1, replicas: 0 })),
  ]);
  const name = await startName(before.nodes[0]?.port ?? 0);
  const subscriber = await subscribeTo(`redis+cluster://127.0.0.1:${name.port}`);
  expect(subscriber.health()).toEqual(okAt(before.nodes[0]?.port));
  name.leadTo(after.nodes[0]?.port ?? 0);
  await before.stop();
  await expect.poll(() => subscriber.health(), { timeout: 15_000 }).toEqual(okAt(after.nodes[0]?.port));
});

it('sentinels are found again in the same way', async () => {
  const options = { sentinels: 1, replicas: 0 };
  const [before, after] = await Promise.all([started(startSentinel(options)), started(startSentinel(options))]);
  const name = await startName(before.sentinels[0]?.port ?? 0);
  const subscriber = await subscribeTo(`redis+sentinel://127.0.0.1:${name.port}/main`);
  name.leadTo(after.sentinels[0]?.port ?? 0);
  await before.stop();
  await until('found', () => subscriber.health()[0]?.shard === `127.0.0.1:${after.nodes[0]?.port}`);
});

it('sentinels that the URL names as they do not name themselves count once each', async () => {
  const servers = await started(startSentinel({ replicas: 0 }));
  const names = servers.sentinels.map(({ port }) => `localhost:${port}`).join(',');
  const subscriber = await subscribeTo(`redis+sentinel://${names}/main`);
  const [slot] = SHARD_SLOTS as [number];
  const confirmed = () => subscriber.topology.confirm(slot, `127.0.0.1:${servers.nodes[0]?.port}`);
  await expect.poll(confirmed).toBe(true);
  await Promise.all(servers.sentinels.slice(1).map((sentinel) => sentinel.kill9()));
  await expect.poll(confirmed).toBe(false);
});
