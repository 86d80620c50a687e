import { afterEach, expect, it } from 'vitest';
import { RedisPublisher } from '../../src/broker/redis/publish/publisher.js';
import { systemClock } from '../../src/clock.js';
import { COMMAND_TIMINGS } from '../../src/redis/deployment.js';
import { Routes } from '../../src/redis/routes.js';
import { singleMasterView, type TopologyView } from '../../src/redis/topology/topology.js';
import { delay, durableChannel, json } from '../support/broker-kit.js';
import { type RedisNode, type StandaloneServers, startRedis } from '../support/redis-servers.js';

const started: StandaloneServers[] = [];
afterEach(async () => {
  for (const servers of started.splice(0)) await servers.stop();
});

async function server(): Promise<RedisNode> {
  const servers = await startRedis();
  started.push(servers);
  return servers.node;
}

const viewOf = ({ port }: RedisNode): TopologyView =>
  singleMasterView(`127.0.0.1:${port}`, { host: '127.0.0.1', port });

it.each([
  ['before it is deposed', 800],
  ['only afterwards', 0],
])('does not wait for the answers of a frozen master: overdue %s', async (_, frozenMs) => {
  const [old, next] = [await server(), await server()];
  const topology = { view: viewOf(old), refresh: async () => {}, confirmMaster: async () => true };
  const routes = new Routes({
    clock: systemClock,
    link: {},
    topology,
    timings: { ...COMMAND_TIMINGS, suspectMs: 500, replyMs: 600_000 },
    scripts: [],
    onUp: () => publisher.wake(),
  });
  const publisher = new RedisPublisher({
    clock: systemClock,
    topology,
    routes,
    isCluster: false,
    idempotencyMs: 60_000,
    timings: { giveUpMs: 600_000 },
  });
  const channel = durableChannel();
  const publish = (key: string) => publisher.publish(channel, [json(1, { key })]);
  try {
    expect(await publish('a')).toMatchObject([{ position: { offset: 1 } }]);
    old.pause();
    const unanswered = publish('b');
    await delay(frozenMs);
    topology.view = viewOf(next);
    routes.adopt(topology.view);
    publisher.wake();
    expect(await unanswered).toMatchObject([{ position: { offset: 1 } }]);
  } finally {
    publisher.close();
    routes.close();
    old.resume();
  }
});
