import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChannelSubscription } from '../../src/broker/redis/push/channel-subscription.js';
import { PushLink } from '../../src/broker/redis/push/push-link.js';
import { systemClock } from '../../src/clock.js';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import type { LogFollower } from '../support/log-follower.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { CLEAN, RedisLoad } from '../support/redis-load.js';
import { type ClusterServers, type RedisNode, startCluster, until } from '../support/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../support/slot-move.js';

let cluster: ClusterServers;
let subscriber: RedisSubscriber;
let load: RedisLoad;

beforeEach(async () => {
  cluster = await startCluster({ replicas: 0 });
  subscriber = new RedisSubscriber({ target: parseRedisUrl(cluster.url), clock: systemClock });
  await subscriber.start();
  load = new RedisLoad(subscriber, cluster.nodes, { channels: 8 });
  await load.start();
  // Of a channel that nobody published to there is meta alone; a slot that moves answers TRYAGAIN for it.
  await until(
    'published to',
    () => load.followers.every(({ cursor }) => (cursor?.offset ?? 0) > 0),
    60_000,
    () => load.state(),
  );
});
afterEach(async () => {
  subscriber?.close();
  await cluster?.stop();
});

const slotOf = ({ channel }: LogFollower) => slotOfShard(shardOf(channel.name));

const begin = (slot: number) => beginMove(cluster, slot);

/**
 * Moves the slots of all followers; the second node is told 0.5 s after the first. One slot after the
 * other: two masters that MIGRATE to each other block each other, and a source that takes another
 * slot before it has heard of its loss would claim the lost one back with a higher epoch.
 */
async function moveAll(first: 'source' | 'target'): Promise<void> {
  for (const slot of new Set(load.followers.map(slotOf))) {
    const move = await begin(slot);
    await moveKeys(move);
    const [one, other] = first === 'source' ? [move.source, move.target] : [move.target, move.source];
    await tellMoved(one, move);
    await delay(500);
    await tellMoved(other, move);
  }
}

describe('a slot that moves', () => {
  it.each(['source', 'target'] as const)('loses nothing when the %s is told first', async (first) => {
    await moveAll(first);
    const movedAt = Date.now();
    await load.live();
    console.log(`${first} told first: live ${Date.now() - movedAt} ms after the move`);
    const ledger = await load.stop();
    console.log(`${first} told first:`, ledger);
    expect(ledger).toMatchObject(CLEAN);
    expect(subscriber.stats.lost).toBe(0); // its connections stay
    expect(subscriber.stats.resumed).toBeGreaterThanOrEqual(8);
  });

  it('is audited every second while it moves, and read where its keys are', async () => {
    const follower = load.followers[0] as LogFollower;
    const move = await begin(slotOf(follower));
    await moveKeys(move);
    const doubts = () => follower.calls.filter((call) => call === 'doubt').length;
    await until('told to compare', () => doubts() >= 3);
    // The publisher follows ASK; what it appends is pushed where nobody listens, and read all the same.
    const page = await subscriber.read(follower.channel, { last: true, limit: 1 });
    expect(page.head.offset).toBeGreaterThan(0);
    const others = load.followers.filter((other) => slotOf(other) !== move.slot);
    expect(others.every(({ calls }) => calls.length === 0)).toBe(true);
    await tellMoved(move.target, move);
    await tellMoved(move.source, move);
    await until('resumed', () => follower.calls.includes('resumed'));
    // It ends some time after the move, once every node has heard of it.
    const isSettled = async () => {
      const before = doubts();
      await delay(2_000);
      return doubts() === before;
    };
    await until('it is audited no more', isSettled);
    const ledger = await load.stop();
    expect(ledger).toMatchObject(CLEAN);
  });

  it('loses nothing while half of its keys are moved for seconds (TRYAGAIN)', async () => {
    const follower = load.followers[0] as LogFollower;
    const move = await begin(slotOf(follower));
    await moveKeys(move, (key) => key.includes(':l:'));
    await delay(2_500);
    await moveKeys(move);
    await tellMoved(move.target, move);
    await tellMoved(move.source, move);
    await load.live();
    const ledger = await load.stop();
    console.log('half moved for seconds:', ledger);
    expect(ledger).toMatchObject(CLEAN);
  });

  it('stays where it is when the move is called off', async () => {
    const follower = load.followers[0] as LogFollower;
    const { slot, source, target } = await begin(slotOf(follower));
    await until('told to compare', () => follower.calls.includes('doubt'));
    await target.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await source.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await load.live();
    const ledger = await load.stop();
    expect(ledger).toMatchObject(CLEAN);
    expect(follower.calls).not.toContain('interrupted');
  });

  it('goes to a master that joined the cluster after the start', async () => {
    const extra = await startCluster({ masters: 1, replicas: 0 });
    try {
      const newcomer = extra.nodes[0] as RedisNode;
      await newcomer.client.call('CLUSTER', 'FLUSHSLOTS');
      await newcomer.client.call('CLUSTER', 'RESET', 'HARD');
      const [first] = cluster.nodes as [RedisNode];
      await first.client.call('CLUSTER', 'MEET', '127.0.0.1', newcomer.port);
      await until('known to all', async () => {
        const views = await Promise.all(cluster.nodes.map((node) => node.client.call('CLUSTER', 'NODES')));
        const isKnown = new RegExp(`:${newcomer.port}@\\d+ master .*connected`);
        const info = String(await newcomer.client.call('CLUSTER', 'INFO'));
        return views.every((view) => isKnown.test(String(view))) && info.includes('cluster_state:ok');
      });
      const follower = load.followers[0] as LogFollower;
      const slot = slotOf(follower);
      const move = await beginMove(cluster, slot, newcomer);
      await moveKeys(move);
      await tellMoved(newcomer, move);
      await Promise.all(cluster.nodes.map((node) => tellMoved(node, move)));
      await until('resumed', () => follower.calls.includes('resumed'));
      expect(subscriber.health()).toContainEqual({ shard: `127.0.0.1:${newcomer.port}`, state: 'ok' });
    } finally {
      await extra.stop();
    }
  });
});

describe('an unsubscription that crosses the move of its slot', () => {
  it('costs the link, because ioredis gives later replies to the wrong commands', async () => {
    const [first] = load.followers as [LogFollower];
    const slot = slotOf(first);
    const source = await cluster.masterOf(slot);
    const target = cluster.nodes.find((node) => node !== source) as RedisNode;
    const lost: string[] = [];
    const link = await PushLink.open(
      { host: '127.0.0.1', port: source.port },
      {
        clock: systemClock,
        link: {},
        timings: { handshakeMs: 20_000, heartbeatMs: 60_000, silenceMs: 60_000 },
        maxMessageBytes: 65_536,
      },
      { onPush: () => {}, onGone: () => {}, onLost: (reason) => void lost.push(reason) },
    );
    const { name } = new ChannelSubscription(first.channel, 0, first, () => {});
    await link.subscribe([name]);
    // Nobody publishes any more: a key that came meanwhile would keep the slot here.
    await load.stop();
    for (const key of (await source.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[]) {
      await source.client.del(key);
    }
    const targetId = await cluster.idOf(target);
    source.pause();
    const told = source.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    await delay(50);
    const unsubscribed = link.unsubscribe([name]);
    const next = link.redis.ping('next').catch((error: Error) => error.message);
    await delay(50);
    source.resume();
    await told;
    await unsubscribed;
    expect(await next).not.toBe('next');
    expect(lost).toEqual(['its replies are out of step']);
    expect(link.isOpen).toBe(false);
  });
});
