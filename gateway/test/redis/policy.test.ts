import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { type RedisNode, startSentinel } from '../support/redis-servers.js';

it('a promoted replica that evicts is told in the log and in health, until that is mended', async () => {
  const servers = await startSentinel({ config: { 'min-replicas-to-write': '0' } });
  onTestFinished(() => servers.stop());
  const master = await servers.master();
  const replica = servers.nodes.find((node) => node !== master) as RedisNode;
  await replica.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const warnings: unknown[][] = [];
  const subscriber = new RedisSubscriber({
    target: parseRedisUrl(servers.url),
    clock: systemClock,
    timings: { heartbeatMs: 200 },
    log: { info() {}, warn: (...warning) => void warnings.push(warning) },
  });
  onTestFinished(() => subscriber.close());
  await subscriber.start();
  expect(subscriber.health()).toEqual([{ shard: `127.0.0.1:${master.port}`, state: 'ok' }]);
  await servers.failOver();
  const shard = `127.0.0.1:${replica.port}`;
  const warning = 'maxmemory-policy is allkeys-lru; it must be noeviction, any other drops logs';
  const health = () => subscriber.health();
  await expect.poll(health, { timeout: 20_000 }).toEqual([{ shard, state: 'ok', detail: warning }]);
  expect(warnings).toContainEqual([{ shard, warning }, 'redis shard is at risk']);
  await replica.client.config('SET', 'maxmemory-policy', 'noeviction');
  await expect.poll(health).toEqual([{ shard, state: 'ok' }]);
});
