import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { CLEAN, RedisLoad } from '../support/redis-load.js';
import {
  type RedisNode,
  type RedisServers,
  type StandaloneServers,
  startRedis,
  until,
} from '../support/redis-servers.js';

let servers: RedisServers | undefined;
let subscriber: RedisSubscriber | undefined;

afterEach(async () => {
  subscriber?.close();
  await servers?.stop();
});

async function start(options: Parameters<typeof startRedis>[0]): Promise<[StandaloneServers, RedisSubscriber]> {
  const started = await startRedis(options);
  servers = started;
  subscriber = new RedisSubscriber({ target: parseRedisUrl(started.url), clock: systemClock });
  await subscriber.start();
  return [started, subscriber];
}

const isLost = (one: RedisSubscriber) => one.health().some(({ state }) => state === 'lost');

/** Ever accepted by the process that runs now. */
async function connectionsTo(node: RedisNode): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await node.client.info('stats'))?.[1]);
}

describe('healing on one server', () => {
  it('misses nothing of a restart with AOF', async () => {
    const [{ node, nodes }, one] = await start({ appendonly: true, config: { appendfsync: 'always' } });
    const load = new RedisLoad(one, nodes, { channels: 20 });
    await load.start();
    await delay(500);
    await node.restart();
    console.log(`live ${await load.live()} ms after the restart`);
    await delay(300);
    const ledger = await load.stop();
    console.log('restart with AOF:', ledger);
    expect(ledger).toMatchObject(CLEAN);
    expect(load.followers.every(({ calls }) => calls.join() === 'interrupted,resumed')).toBe(true);
  });

  it('tells everybody when the server comes back empty, and goes on', async () => {
    const [{ node, nodes }, one] = await start({});
    const load = new RedisLoad(one, nodes, { channels: 20 });
    await load.start();
    await delay(500);
    await node.restart();
    await load.live();
    await delay(300);
    const ledger = await load.stop();
    console.log('restart empty:', ledger);
    expect(ledger).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, resets: { unrecoverable: 20 } });
  });

  it('notices a frozen server, and lives again when it thaws', async () => {
    const [{ node, nodes }, one] = await start({ appendonly: true });
    const load = new RedisLoad(one, nodes, { channels: 20 });
    await load.start();
    await delay(500);
    const frozenAt = Date.now();
    node.pause();
    await until('noticed', () => isLost(one));
    console.log(`a frozen server noticed after ${Date.now() - frozenAt} ms`);
    expect(load.followers.every(({ calls }) => calls.join() === 'interrupted')).toBe(true);
    await delay(3_000);
    node.resume();
    await load.live();
    const ledger = await load.stop();
    console.log('freeze:', ledger);
    expect(ledger).toMatchObject(CLEAN);
  });

  it('does not take a pause of its own for silence of the server', async () => {
    const [{ nodes }, one] = await start({ appendonly: true });
    const load = new RedisLoad(one, nodes, { channels: 5 });
    await load.start();
    await delay(300);
    for (const end = Date.now() + 4_000; Date.now() < end; ); // the event loop stands still
    await load.live();
    const ledger = await load.stop();
    expect(ledger).toMatchObject(CLEAN);
    expect(one.stats.lost).toBe(0);
  });

  it('treats a server that became a replica as lost, though it answers', async () => {
    const [{ node }, one] = await start({});
    const other = await startRedis();
    try {
      await node.client.replicaof('127.0.0.1', other.node.port);
      const why = expect.stringMatching(/replica|master/);
      await expect.poll(() => one.health()[0]).toMatchObject({ state: 'lost', detail: why });
      await node.client.replicaof('NO', 'ONE');
      await until('back', () => !isLost(one));
    } finally {
      await other.stop();
    }
  });

  it('connects anew when the replication id changes under it', async () => {
    const [{ node, nodes }, one] = await start({ config: { 'enable-debug-command': 'yes' } });
    const load = new RedisLoad(one, nodes, { channels: 10 });
    await load.start();
    await delay(300);
    await node.client.call('DEBUG', 'CHANGE-REPL-ID');
    await until('noticed', () => one.stats.lost > 0);
    await load.live();
    const ledger = await load.stop();
    expect(ledger).toMatchObject(CLEAN);
  });

  it('connects once for each cut, however many gateways there are', async () => {
    const [{ node, url }, one] = await start({});
    const target = parseRedisUrl(url);
    const others = Array.from({ length: 19 }, () => new RedisSubscriber({ target, clock: systemClock }));
    const all = [one, ...others];
    try {
      await Promise.all(others.map((other) => other.start()));
      const loads = all.map((source) => new RedisLoad(source, [node], { channels: 5, intervalMs: 500 }));
      await Promise.all(loads.map((load) => load.start()));
      const before = await connectionsTo(node);
      await node.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('all are back', () => all.every(({ stats }) => stats.resumed === 5));
      await delay(500);
      expect((await connectionsTo(node)) - before).toBe(20);
      const ledgers = await Promise.all(loads.map((load) => load.stop()));
      for (const ledger of ledgers) expect(ledger).toMatchObject(CLEAN);
    } finally {
      for (const other of others) other.close();
    }
  });

  it('comes back to a dead server with few attempts', async () => {
    const [{ node }, one] = await start({});
    await node.kill9();
    await until('noticed', () => isLost(one));
    await delay(4_000);
    await node.restart();
    await until('back', () => !isLost(one));
    expect(one.stats).toMatchObject({ connects: 2, lost: 1 });
    expect(await connectionsTo(node)).toBeLessThanOrEqual(3); // the test's own, the subscriber's, and one more attempt
  });
});
