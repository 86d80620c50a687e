import type { ReplicasWanted } from '@fanfare/protocol';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, ChannelSpec, Published } from '../../src/broker/broker.js';
import { systemClock } from '../../src/clock.js';
import { channelKeys } from '../../src/redis/keys.js';
import {
  collect,
  delay,
  durableChannel,
  json,
  liveChannel,
  numbered,
  offsets,
  payloadValue,
  positionOf,
  publishOne,
  range,
  readAll,
} from '../support/broker-kit.js';
import { createRedisBroker, type TestBrokerOptions } from '../support/redis-broker.js';
import { type RedisNode, type StandaloneServers, startRedis, until } from '../support/redis-servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

async function startBroker(port: number, options: Partial<TestBrokerOptions> = {}): Promise<Broker> {
  const broker = createRedisBroker({ url: `redis://127.0.0.1:${port}`, clock: systemClock, ...options });
  await broker.start();
  return broker;
}

/** What the log holds, once the reading half is back too: it may wait for its next attempt to connect. */
async function values(broker: Broker, channel: ChannelSpec) {
  await until('it can be read', () => broker.health().every(({ state }) => state === 'ok'));
  return (await readAll(broker, channel)).entries.map(payloadValue);
}

/** Calls of a command so far, as the server counted them. */
async function calls(redis: Redis, command: string): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('a reply that is cut off', () => {
  let servers: StandaloneServers;
  let proxy: TcpProxy;
  let broker: Broker;
  let reader: Broker;

  beforeAll(async () => {
    servers = await startRedis();
    proxy = await startTcpProxy(servers.node.port);
    broker = await startBroker(proxy.port);
    reader = await startBroker(servers.node.port);
  });
  afterAll(async () => {
    await broker?.close();
    await reader?.close();
    await proxy?.close();
    await servers?.stop();
  });

  it('makes ioredis, as it comes, execute a write twice', async () => {
    const asItComes = new Redis(proxy.port);
    asItComes.on('error', () => {});
    await asItComes.set('key', 0);
    const cut = proxy.cutReplyTo('incr');
    await asItComes.incr('key');
    await cut;
    expect(await servers.node.client.get('key')).toBe('2');
    asItComes.disconnect();
  });

  it('is an unknown outcome without a key, and stored once', async () => {
    const channel = durableChannel();
    const subscriber = await collect(reader, channel);
    await broker.publish(channel, [json('before')]);
    const cut = proxy.cutReplyTo('"during"');
    const [outcome] = await broker.publish(channel, [json('during')]);
    await cut;
    expect(outcome).toMatchObject({ code: 'outcome_unknown', retryable: false });
    expect(positionOf((await broker.publish(channel, [json('after')]))[0]).offset).toBe(3);
    await subscriber.received(3);
    await delay(50);
    expect(subscriber.records.map(payloadValue)).toEqual(['before', 'during', 'after']);
    expect(await values(reader, channel)).toEqual(['before', 'during', 'after']);
  });

  it('is retried with a key: stored once, and answered with its position', async () => {
    const channel = durableChannel();
    const subscriber = await collect(reader, channel);
    const cut = proxy.cutReplyTo('"during"');
    const [outcome] = await broker.publish(channel, [json('during', { key: 'k' })]);
    await cut;
    expect(positionOf(outcome).offset).toBe(1);
    await broker.publish(channel, [json('after')]);
    await subscriber.received(2);
    expect(subscriber.records.map(payloadValue)).toEqual(['during', 'after']);
    expect(await values(reader, channel)).toEqual(['during', 'after']);
  });

  it('is judged for each message of a batch on its own', async () => {
    const channel = durableChannel();
    const cut = proxy.cutReplyTo('"b"');
    const outcomes = await broker.publish(channel, [json('a', { key: 'a' }), json('b'), json('c', { key: 'c' })]);
    await cut;
    expect(positionOf(outcomes[0]).offset).toBe(1);
    expect(outcomes[1]).toMatchObject({ code: 'outcome_unknown' });
    expect(positionOf(outcomes[2]).offset).toBe(3);
    expect(await values(reader, channel)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['without a key', undefined, { code: 'outcome_unknown' }],
    ['with a key', 'k', { duplicate: true }],
  ])('does not push a live message twice, %s', async (_, key, expected) => {
    const channel = liveChannel();
    const subscriber = await collect(reader, channel);
    const cut = proxy.cutReplyTo('"during"');
    const [outcome] = await broker.publish(channel, [json('during', { key })]);
    await cut;
    expect(outcome).toMatchObject(expected);
    expect(await broker.publish(channel, [json('after')])).toEqual([{}]);
    await subscriber.received(2);
    expect(subscriber.records.map(payloadValue)).toEqual(['during', 'after']);
  });

  it('is retried with a key also where a replica is asked for', async () => {
    const channel = durableChannel();
    const cut = proxy.cutReplyTo('"during"');
    const options = { replicas: 'all' } as const;
    const [outcome] = await broker.publish(channel, [json('during', { key: 'k' })], options);
    await cut;
    expect(outcome).toMatchObject({ position: { offset: 1 }, reached: { replicas: 0, of: 0 } });
    expect(await values(reader, channel)).toEqual(['during']);
  });
});

describe('one call for several channels', () => {
  let servers: StandaloneServers;
  beforeAll(async () => {
    servers = await startRedis();
  });
  afterAll(() => servers?.stop());

  it('stores what is published in one turn, however many channels, and a broken one harms no other', async () => {
    const broker = await startBroker(servers.node.port);
    const channels = range(1, 300).map(() => durableChannel());
    const broken = channels[7] as ChannelSpec;
    await servers.node.client.set(channelKeys(broken.name).log, 'no stream');
    const before = await calls(servers.node.client, 'evalsha');
    const outcomes = await Promise.all(channels.map((channel) => broker.publish(channel, [json(1), json(2)])));
    expect((await calls(servers.node.client, 'evalsha')) - before).toBe(3);
    for (const [i, [first, second]] of outcomes.entries()) {
      if (channels[i] === broken) expect(first).toMatchObject({ code: 'internal' });
      else expect([first, second]).toMatchObject([{ position: { offset: 1 } }, { position: { offset: 2 } }]);
    }
    await broker.close();
  });

  it('does not call undone what was stored before the script failed', async () => {
    const { client } = servers.node;
    await client.call('ACL', 'SETUSER', 'half', 'on', '>pw', '~*', '&*', '+@all');
    const broker = createRedisBroker({ url: `redis://half:pw@127.0.0.1:${servers.node.port}`, clock: systemClock });
    await broker.start();
    const channel = durableChannel();
    await publishOne(broker, channel, json('before'));
    await client.call('ACL', 'SETUSER', 'half', '-spublish');
    const [unsure] = await broker.publish(channel, [json('without a key')]);
    const [found] = await broker.publish(channel, [json('with a key', { key: 'k' })]);
    expect(unsure).toMatchObject({ code: 'outcome_unknown' });
    expect(found).toMatchObject({ position: { offset: 3 }, duplicate: true });
    await broker.close();
  });

  it('answers replicated publishes though the answers come in pieces', async () => {
    const proxy = await startTcpProxy(servers.node.port, { chunkBytes: 7 });
    // However long the pieces take: an INFO is a thousand of them.
    const patient = { startMs: 60_000, handshakeMs: 60_000, silenceMs: 60_000, suspectMs: 60_000, replyMs: 60_000 };
    const broker = await startBroker(proxy.port, { timings: { replicaMs: 5, ...patient } });
    const channels = range(1, 5).map(() => durableChannel());
    let answered = 0;
    const publishAll = async (channel: ChannelSpec) => {
      while (answered < 50) {
        const [outcome] = await broker.publish(channel, [json(1)], { replicas: 'all' });
        expect(outcome).toMatchObject({ reached: { replicas: 0, of: 0 } });
        answered++;
      }
    };
    await Promise.all(channels.map(publishAll));
    expect(answered).toBeGreaterThanOrEqual(50);
    await broker.close();
    await proxy.close();
  });
});

describe('a server that is away', () => {
  let servers: StandaloneServers;
  let proxy: TcpProxy;
  let broker: Broker;

  beforeEach(async () => {
    servers = await startRedis({ appendonly: true });
    proxy = await startTcpProxy(servers.node.port);
    broker = await startBroker(proxy.port, { timings: { replyMs: 1000, suspectMs: 200 } });
  });
  afterEach(async () => {
    await broker?.close();
    await proxy?.close();
    await servers?.stop();
  });

  it('makes publishes wait; they are stored once and in order when it is back', async () => {
    const channel = durableChannel();
    await publishOne(broker, channel, json(0));
    proxy.block();
    await delay(20);
    const waiting = range(1, 20).map((n) => publishOne(broker, channel, json(n)));
    await delay(300);
    proxy.open();
    expect(offsets(await Promise.all(waiting))).toEqual(range(2, 21));
    expect(await values(broker, channel)).toEqual(range(0, 20));
  });

  it('is unavailable to them after a while, and nothing of it is stored later', async () => {
    const impatient = await startBroker(proxy.port, { timings: { giveUpMs: 1500 } });
    const channel = durableChannel();
    await publishOne(broker, channel, json(0));
    proxy.block();
    await delay(20);
    const [first, second] = await Promise.all([
      impatient.publish(channel, [json(1)]),
      impatient.publish(channel, [json(2, { key: 'k' })]),
    ]);
    for (const [outcome] of [first, second]) {
      expect(outcome).toMatchObject({ code: 'unavailable', retryable: true, retryAfterMs: 1000 });
    }
    proxy.open();
    await until(
      'it can be published to',
      async () => !((await impatient.publish(liveChannel(), [json(1)]))[0] instanceof Error),
    );
    await publishOne(broker, channel, json(3));
    expect(await values(impatient, channel)).toEqual([0, 3]);
    await impatient.close();
  });

  it('loses nothing that was acknowledged when it is killed again and again', async () => {
    const channels = range(1, 5).map(() => durableChannel());
    const acknowledged = new Map(channels.map((channel) => [channel, [] as number[]]));
    let isOver = false;
    const publishers = channels.map(async (channel) => {
      for (let n = 1; !isOver; n++) {
        const [outcome] = await broker.publish(channel, [json(n, { key: String(n) })]);
        if (!(outcome instanceof Error)) acknowledged.get(channel)?.push(n);
        await delay(2);
      }
    });
    // However slow the machine is: some of every channel before each kill, and behind the last one.
    const atLeast = (count: number) =>
      until('acknowledged', () => [...acknowledged.values()].every(({ length }) => length >= count));
    for (let i = 1; i <= 3; i++) {
      await atLeast(10 * i);
      await servers.node.restart();
    }
    await atLeast(40);
    isOver = true;
    await Promise.all(publishers);
    for (const [channel, numbers] of acknowledged) {
      const stored = (await values(broker, channel)) as number[];
      expect(stored).toEqual([...new Set(stored)]);
      expect(stored).toEqual(stored.toSorted((a, b) => a - b));
      expect(stored).toEqual(expect.arrayContaining(numbers));
    }
  });

  it('that hangs is unsure only for what it was sent, not for what came later', async () => {
    const channels = [durableChannel(), durableChannel(), durableChannel()] as const;
    for (const channel of channels) await publishOne(broker, channel, json('before'));
    servers.node.pause();
    const sent = broker.publish(channels[0], [json('sent')]);
    await delay(400);
    const waiting = [broker.publish(channels[0], [json('later')]), broker.publish(channels[1], [json('other')])];
    expect((await sent)[0]).toMatchObject({ code: 'outcome_unknown' });
    servers.node.resume();
    expect((await Promise.all(waiting)).flat().map((outcome) => positionOf(outcome).epoch)).toHaveLength(2);
    expect((await values(broker, channels[0])).filter((value) => value === 'later')).toEqual(['later']);
    expect(await values(broker, channels[1])).toEqual(['before', 'other']);
  });
});

describe('a server that refuses', () => {
  let servers: StandaloneServers;
  let redis: Redis;
  let broker: Broker;
  let impatient: Broker;

  beforeAll(async () => {
    servers = await startRedis();
    redis = servers.node.client;
    broker = await startBroker(servers.node.port);
    impatient = await startBroker(servers.node.port, { timings: { giveUpMs: 600 } });
  });
  afterAll(async () => {
    await broker?.close();
    await impatient?.close();
    await servers?.stop();
  });

  it('because memory is full: nothing is delivered, and publishing goes on when there is room', async () => {
    const channel = durableChannel();
    const subscriber = await collect(broker, channel);
    await publishOne(broker, channel, json(1));
    await redis.config('SET', 'maxmemory', '1');
    const refused = await impatient.publish(channel, [json('a'), json('b', { key: 'k' })]);
    for (const outcome of refused) expect(outcome).toMatchObject({ code: 'unavailable', retryable: true });
    const waiting = publishOne(broker, channel, json(2));
    await redis.config('SET', 'maxmemory', '0');
    await waiting;
    await subscriber.received(2);
    expect(subscriber.records.map(payloadValue)).toEqual([1, 2]);
    expect(await values(broker, channel)).toEqual([1, 2]);
  });

  it('because it was made a replica, and takes publishes again when it is a master', async () => {
    const other = await startRedis();
    try {
      const channel = durableChannel();
      const live = liveChannel();
      await publishOne(broker, channel, json(1));
      await broker.publish(live, [json(1)]);
      await redis.replicaof('127.0.0.1', other.node.port);
      await until('it is in sync', async () => (await redis.info('replication')).includes('master_link_status:up'));
      const isRefused = async () => {
        const [outcome] = await impatient.publish(live, [json(2)]);
        return outcome instanceof Error;
      };
      await until('live publishes are refused', isRefused);
      expect((await impatient.publish(channel, [json(2)]))[0]).toMatchObject({ code: 'unavailable' });
      await redis.replicaof('NO', 'ONE');
      const epoch = (await publishOne(broker, channel, json(3))).epoch;
      expect(epoch).toBeGreaterThan(0);
      expect(await broker.publish(live, [json(3)])).toEqual([{}]);
    } finally {
      await other.stop();
    }
  });

  it('because it forgot the scripts, again and again', async () => {
    const channel = durableChannel();
    const publishing = (async () => {
      for (let n = 1; n <= 200; n++) await publishOne(broker, channel, json(n));
    })();
    let isOver = false;
    publishing.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await redis.script('FLUSH');
      await delay(3);
    }
    await publishing;
    expect(await values(broker, channel)).toEqual(range(1, 200));
  });

  it('for good, where the key holds something else', async () => {
    const channel = durableChannel();
    await publishOne(broker, channel, json(1));
    const [log] = await redis.keys(`*:l:${channel.name}`);
    await redis.del(log as string);
    await redis.set(log as string, 'not a log');
    const [outcome] = await broker.publish(channel, [json(2)]);
    expect(outcome).toMatchObject({ code: 'internal', retryable: false });
    await redis.del(log as string);
    await publishOne(broker, channel, json(3));
  });
});

describe('commands', () => {
  let servers: StandaloneServers;
  let redis: Redis;
  let broker: Broker;

  beforeAll(async () => {
    servers = await startRedis();
    redis = servers.node.client;
    broker = await startBroker(servers.node.port);
    await publishOne(broker, durableChannel(), json(1));
  });
  afterAll(async () => {
    await broker?.close();
    await servers?.stop();
  });
  beforeEach(() => redis.config('RESETSTAT'));

  it('are one for a batch', async () => {
    await broker.publish(durableChannel(), numbered(100));
    expect(await calls(redis, 'evalsha')).toBe(1);
    expect(await calls(redis, 'eval')).toBe(0);
    expect(await calls(redis, 'spublish')).toBe(1);
  });

  it('are few for many publishes at a time to one channel, each with its own outcome', async () => {
    const channel = durableChannel();
    const positions = await Promise.all(range(1, 500).map((n) => publishOne(broker, channel, json(n))));
    expect(offsets(positions)).toEqual(range(1, 500));
    expect(await calls(redis, 'evalsha')).toBeLessThanOrEqual(3);
  });

  it('are one push, and nothing else, for a live message', async () => {
    await broker.publish(liveChannel(), [json(1)]);
    expect(await calls(redis, 'spublish')).toBe(1);
    expect(await calls(redis, 'evalsha')).toBe(0);
  });

  it('wait for their turn in bounded memory', async () => {
    const channel = durableChannel();
    const big = json('x'.repeat(1024 * 1024));
    const outcomes = (await Promise.all(range(1, 80).map(() => broker.publish(channel, [big])))).flat();
    const refused = outcomes.filter((outcome) => outcome instanceof Error);
    expect(refused.length).toBeGreaterThanOrEqual(80 - 64);
    expect(refused.length).toBeLessThan(80);
    expect(refused[0]).toMatchObject({ code: 'unavailable', retryable: true });
    expect(positionOf((await broker.publish(channel, [big]))[0]).offset).toBe(80 - refused.length + 1);
  });
});

describe('replicated publishes', () => {
  let servers: StandaloneServers;
  let replica: RedisNode;
  let broker: Broker;
  const replicated = { replicas: 'all' } as const;

  beforeAll(async () => {
    servers = await startRedis({ replicas: 1 });
    replica = servers.replicas[0] as RedisNode;
    broker = await startBroker(servers.node.port);
  });
  afterAll(async () => {
    await broker?.close();
    await servers?.stop();
  });

  it('say that the replica has them', async () => {
    const channel = durableChannel();
    const [outcome] = await broker.publish(channel, [json(1)], replicated);
    expect(outcome).toMatchObject({ position: { offset: 1 }, reached: { replicas: 1, of: 1 } });
    const [log] = await servers.node.client.keys(`*:l:${channel.name}`);
    expect(await replica.client.exists(log as string)).toBe(1);
  });

  it('are not acknowledged for a replica that is frozen, while another connection would say so', async () => {
    const channel = durableChannel();
    const stranger = new Redis(servers.node.port);
    await stranger.ping();
    await broker.publish(channel, [json(0)], replicated);
    replica.pause();
    try {
      const [outcome] = await broker.publish(channel, [json(1)], replicated);
      expect(outcome).toMatchObject({ position: { offset: 2 }, reached: { replicas: 0, of: 1 } });
      expect(await stranger.wait(1, 100)).toBe(1);
      stranger.disconnect();
      await broker.publish(channel, [json(2, { key: 'during' })]);
      const [again] = await broker.publish(channel, [json(2, { key: 'during' })], replicated);
      expect(again).toMatchObject({ duplicate: true, reached: { replicas: 0, of: 1 } });
    } finally {
      replica.resume();
    }
    const again = async () => (await broker.publish(channel, [json(3, { key: 'after' })], replicated))[0];
    await expect.poll(again).toMatchObject({ reached: { replicas: 1, of: 1 } });
    expect(await values(broker, channel)).toEqual([0, 1, 2, 3]);
  });

  it('wait for all replicas that may be promoted, or for as many as asked, but for none that is not there', async () => {
    const pair = await startRedis({ replicas: 2 });
    const own = await startBroker(pair.node.port, { timings: { replicaMemoryMs: 1_000 } });
    const reachedBy = async (replicas: ReplicasWanted) => {
      const [outcome] = await own.publish(durableChannel(), [json(1)], { replicas });
      return (outcome as Published).reached;
    };
    try {
      await until('both are in sync', async () => (await pair.node.client.wait(2, 100)) === 2);
      expect(await reachedBy('all')).toEqual({ replicas: 2, of: 2 });
      expect((await reachedBy(1))?.of).toBe(2);
      await pair.node.client.config('RESETSTAT');
      expect(await reachedBy(7)).toEqual({ replicas: 2, of: 2 });
      // Seven are not there: two were waited for, with one command.
      expect(await calls(pair.node.client, 'wait')).toBe(1);
      const [frozen] = pair.replicas as [RedisNode];
      frozen.pause();
      try {
        expect(await reachedBy('all')).toEqual({ replicas: 1, of: 2 });
        expect(await reachedBy(1)).toEqual({ replicas: 1, of: 2 });
        // One that is not heard of for long is not promoted, and nobody waits for it.
        await until('it does not count', async () => (await reachedBy('all'))?.of === 1);
        expect(await reachedBy('all')).toEqual({ replicas: 1, of: 1 });
      } finally {
        frozen.resume();
      }
      await until('it answers again', async () => (await reachedBy('all'))?.replicas === 2);
      // It may have answered after the master was asked who is there: that it is there is known from the next round on.
      expect(await reachedBy('all')).toEqual({ replicas: 2, of: 2 });
      // As in a planned failover: the master sees it leave, and goes on.
      await frozen.client.call('REPLICAOF', 'NO', 'ONE');
      expect(await reachedBy('all')).toEqual({ replicas: 1, of: 2 });
    } finally {
      await own.close();
      await pair.stop();
    }
  });

  it('do not hold up stored ones, and go together', async () => {
    const [slow, fast] = [durableChannel(), durableChannel()];
    await servers.node.client.config('RESETSTAT');
    replica.pause();
    try {
      const waiting = range(1, 20).map(async (n) => {
        await delay(n * 10);
        return broker.publish(durableChannel(), [json(n)], replicated);
      });
      const first = broker.publish(slow, [json(1)], replicated);
      await delay(50);
      let isAnswered = false;
      first.finally(() => {
        isAnswered = true;
      });
      await publishOne(broker, slow, json(2));
      await publishOne(broker, fast, json(1));
      expect(isAnswered).toBe(false);
      await Promise.all([first, ...waiting]);
      expect(await calls(servers.node.client, 'wait')).toBeLessThanOrEqual(4);
      expect(await values(broker, slow)).toEqual([1, 2]);
    } finally {
      replica.resume();
    }
  });
});
