import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelListener, ChannelSpec } from '../../src/broker/broker.js';
import type { LogRecord } from '../../src/broker/record.js';
import type { SubscriberTimings } from '../../src/broker/redis/push/options.js';
import { PushLink } from '../../src/broker/redis/push/push-link.js';
import { systemClock } from '../../src/clock.js';
import { pushName } from '../../src/redis/keys.js';
import { parseRedisUrl } from '../../src/redis/url.js';
import { durableChannel, json, payloadValue } from '../support/broker-kit.js';
import { RedisSubscriber } from '../support/redis-broker.js';
import { CLEAN, RedisLoad } from '../support/redis-load.js';
import { type StandaloneServers, startRedis, until } from '../support/redis-servers.js';
import { ScriptPublisher, store } from '../support/script-publisher.js';

let servers: StandaloneServers;
let publisher: ScriptPublisher;
const open: RedisSubscriber[] = [];

beforeAll(async () => {
  servers = await startRedis({ appendonly: true });
  publisher = new ScriptPublisher(servers.nodes);
});
afterEach(() => {
  for (const subscriber of open.splice(0)) subscriber.close();
});
afterAll(() => servers?.stop());

async function startSubscriber(timings: Partial<SubscriberTimings> = {}, url = servers.url): Promise<RedisSubscriber> {
  const subscriber = new RedisSubscriber({ target: parseRedisUrl(url), clock: systemClock, timings });
  open.push(subscriber);
  await subscriber.start();
  return subscriber;
}

function listen() {
  const records: LogRecord[] = [];
  const calls: string[] = [];
  const listener: ChannelListener = {
    onRecord: (record) => void records.push(record),
    onInterrupted: () => void calls.push('interrupted'),
    onResumed: () => void calls.push('resumed'),
    onDoubt: () => void calls.push('doubt'),
  };
  return { records, calls, listener };
}

let published = 0;
const publish = (channel: ChannelSpec, value: unknown) => publisher.publish(channel, value, `k${++published}`);

/** Twenty at a time. */
async function publishAll(channel: ChannelSpec, count: number): Promise<void> {
  for (let n = 0; n < count; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => publish(channel, n + i)));
}

async function subscriptionsOf(subscriber: RedisSubscriber): Promise<number> {
  expect(subscriber.health()).toHaveLength(1);
  const list = (await servers.node.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string;
  return [...list.matchAll(/\bssub=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

describe('subscribing', () => {
  it('delivers in log order what is published after the acknowledgement', async () => {
    const subscriber = await startSubscriber();
    const channel = durableChannel();
    const { records, listener, calls } = listen();
    await subscriber.subscribe(channel, listener);
    for (let n = 1; n <= 20; n++) await publish(channel, n);
    await until('all came', () => records.length === 20);
    expect(records.map(payloadValue)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(calls).toEqual([]);
  });

  it('takes a message with what a later gateway adds; a push of a kind it does not know is a doubt', async () => {
    const subscriber = await startSubscriber();
    const channel = durableChannel();
    const { records, listener, calls } = listen();
    await subscriber.subscribe(channel, listener);
    const extensions = [{ kind: 200, bytes: Buffer.from('of a later version') }];
    await store(servers.node.client, channel, [json(1), json(2, { extensions }), json(3)]);
    await until('all came', () => records.length === 3);
    const { entries } = await subscriber.read(channel, { last: true, limit: 10 });
    for (const list of [records, entries]) {
      expect(list.map(payloadValue)).toEqual([1, 2, 3]);
      expect(list[1]?.extensions).toEqual(extensions);
    }
    expect(calls).toEqual([]);
    await servers.node.client.spublish(pushName(channel.name), Buffer.from([9, 1, 2, 3]));
    await until('it is told', () => calls.length > 0);
    expect(calls).toEqual(['doubt']);
  });

  it('reads on the connection that carries the pushes', async () => {
    const subscriber = await startSubscriber();
    const before = Number(/total_connections_received:(\d+)/.exec(await servers.node.client.info('stats'))?.[1]);
    const channel = durableChannel();
    await subscriber.subscribe(channel, listen().listener);
    await publish(channel, 'a');
    const page = await subscriber.read(channel, { last: true, limit: 10 });
    expect(page.entries.map(payloadValue)).toEqual(['a']);
    const confirmed = await subscriber.read(channel, { last: true, limit: 10, confirmed: true });
    expect(confirmed.head).toEqual(page.head);
    const after = Number(/total_connections_received:(\d+)/.exec(await servers.node.client.info('stats'))?.[1]);
    expect(after).toBe(before);
  });

  it('has never pushed a record that is newer than the head a read tells', async () => {
    const subscriber = await startSubscriber();
    const channel = durableChannel();
    const { records, listener } = listen();
    await subscriber.subscribe(channel, listener);
    let isDone = false;
    const publishing = publishAll(channel, 2000).then(() => {
      isDone = true;
    });
    let reads = 0;
    while (!isDone) {
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { head } = await subscriber.read(channel, { last: true, limit: 0 });
          expect(records.at(-1)?.offset ?? 0).toBeLessThanOrEqual(head.offset);
          reads++;
        }),
      );
    }
    await publishing;
    expect(reads).toBeGreaterThan(100);
    await until('all came', () => records.length === 2000);
  });

  it('names the channels of one virtual shard in one command', async () => {
    const subscriber = await startSubscriber();
    const { client } = servers.node;
    await client.call('CONFIG', 'RESETSTAT');
    const channels = Array.from({ length: 2000 }, () => durableChannel());
    await Promise.all(channels.map((channel) => subscriber.subscribe(channel, listen().listener)));
    const calls = Number(/cmdstat_ssubscribe:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);
    expect(calls).toBeLessThanOrEqual(256);
    expect(await subscriptionsOf(subscriber)).toBe(2000);
  });

  it('ends a subscription at the server, and lets the next one wait for that', async () => {
    const subscriber = await startSubscriber();
    const channel = durableChannel();
    const first = listen();
    const second = listen();
    const subscription = await subscriber.subscribe(channel, first.listener);
    const left = subscription.unsubscribe();
    const again = subscriber.subscribe(channel, second.listener);
    await left;
    await again;
    await publish(channel, 1);
    await until('it came', () => second.records.length === 1);
    expect(first.records).toEqual([]);
    expect(await subscriptionsOf(subscriber)).toBe(1);
    expect(subscription.unsubscribe()).toBe(left);
    await (await again).unsubscribe();
    expect(await subscriptionsOf(subscriber)).toBe(0);
  });

  it('tells its channels once when the connection is cut, and again when they are acknowledged anew', async () => {
    const subscriber = await startSubscriber();
    const { client } = servers.node;
    const listeners = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const one = listen();
        await subscriber.subscribe(durableChannel(), one.listener);
        return one;
      }),
    );
    for (let cut = 1; cut <= 3; cut++) {
      expect(await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1);
      await until('all resumed', () => listeners.every(({ calls }) => calls.length === 2 * cut));
    }
    for (const { calls } of listeners) {
      expect(calls).toEqual(['interrupted', 'resumed', 'interrupted', 'resumed', 'interrupted', 'resumed']);
    }
    expect(subscriber.stats).toMatchObject({ connects: 4, lost: 3, resumed: 150 });
    expect(subscriber.health()).toEqual([{ shard: `127.0.0.1:${servers.node.port}`, state: 'ok' }]);
  });

  it('loses nothing while its connections are cut again and again under load', async () => {
    const subscriber = await startSubscriber();
    const load = new RedisLoad(subscriber, servers.nodes, { channels: 30, intervalMs: 20 });
    await load.start();
    for (let cut = 1; cut <= 5; cut++) {
      await delay(300);
      await servers.node.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('connected', () => subscriber.stats.connects === cut + 1);
    }
    await load.live();
    const ledger = await load.stop();
    console.log('connections cut:', ledger);
    expect(ledger).toMatchObject(CLEAN);
    expect(subscriber.stats.lost).toBe(5);
  });

  it('rebuilds a distrusted connection, but not at the pace of the complaints', async () => {
    const subscriber = await startSubscriber({ distrustMs: 60_000 });
    const { listener, calls } = listen();
    const subscription = await subscriber.subscribe(durableChannel(), listener);
    for (let i = 0; i < 50; i++) {
      subscription.distrust();
      await delay(10);
    }
    await until('resumed', () => calls.length === 2);
    expect(calls).toEqual(['interrupted', 'resumed']);
    expect(subscriber.stats).toMatchObject({ lost: 1, distrusted: 50 });
  });

  it('compares what it holds with what the server holds, at every heartbeat', async () => {
    const told: string[] = [];
    const session = await PushLink.open(
      { host: '127.0.0.1', port: servers.node.port },
      {
        clock: systemClock,
        link: {},
        timings: { handshakeMs: 20_000, heartbeatMs: 50, silenceMs: 20_000 },
        maxMessageBytes: 65_536,
      },
      {
        onPush: () => {},
        onGone: (names) => void told.push(`gone ${names}`),
        onLost: (reason) => void told.push(`lost: ${reason}`),
      },
    );
    await session.subscribe(['{a}1', '{a}2', '{a}3']);
    await delay(200);
    expect(told).toEqual([]);
    await session.redis.sunsubscribe('{a}1'); // behind its back; ioredis knows
    await until('noticed', () => told.length > 0);
    expect(told).toEqual(['gone {a}1']);
    await session.redis.sunsubscribe('{a}2'); // and here not even ioredis
    (session.redis.condition?.subscriber || undefined)?.add('ssubscribe', '{a}2');
    await until('noticed', () => told.length > 1);
    expect(told[1]).toBe('lost: it holds 1 subscriptions, not 2');
  });

  it('survives the output buffer limit', async () => {
    const subscriber = await startSubscriber();
    const { client } = servers.node;
    await client.call('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 64kb 64kb 1');
    const load = new RedisLoad(subscriber, servers.nodes, { channels: 5, intervalMs: 20 });
    try {
      await load.start();
      const burst = durableChannel();
      await subscriber.subscribe(burst, listen().listener);
      const big = 'x'.repeat(200_000);
      const { calls } = load.followers[0] as (typeof load.followers)[number];
      for (let i = 0; i < 200 && !calls.includes('interrupted'); i++)
        await Promise.all([1, 2, 3, 4].map(() => publish(burst, big)));
      expect(calls).toContain('interrupted');
      await load.live();
      const ledger = await load.stop();
      console.log('output buffer limit:', ledger);
      expect(ledger).toMatchObject(CLEAN);
    } finally {
      await client.call('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60');
    }
  });

  it('resubscribes 20,000 channels after a cut in few commands', async () => {
    const subscriber = await startSubscriber();
    const { client } = servers.node;
    const listeners = await Promise.all(
      Array.from({ length: 20_000 }, async () => {
        const one = listen();
        await subscriber.subscribe(durableChannel(), one.listener);
        return one;
      }),
    );
    await client.call('CONFIG', 'RESETSTAT');
    const cutAt = performance.now();
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('all resumed', () => subscriber.stats.resumed === 20_000);
    console.log(`20,000 channels resubscribed in ${Math.round(performance.now() - cutAt)} ms`);
    expect(listeners.every(({ calls }) => calls.join() === 'interrupted,resumed')).toBe(true);
    const calls = Number(/cmdstat_ssubscribe:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);
    expect(calls).toBeLessThanOrEqual(256);
  });
});

describe('without a server', () => {
  it('says so in one line at the start', async () => {
    const subscriber = new RedisSubscriber({
      target: parseRedisUrl('redis://127.0.0.1:1'),
      clock: systemClock,
      timings: { startMs: 1_000 },
    });
    await expect(subscriber.start()).rejects.toThrow(
      'cannot use Redis at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
    );
  });

  it('rejects subscribing and reading as unavailable, in time, and serves again by itself', async () => {
    const other = await startRedis({ appendonly: true });
    try {
      const subscriber = await startSubscriber({ subscribeMs: 1_000, readWaitMs: 200 }, other.url);
      const channel = durableChannel();
      const { listener, calls } = listen();
      await subscriber.subscribe(channel, listener);
      await other.node.kill9();
      await until('noticed', () => calls.length === 1);
      expect(subscriber.health()).toEqual([
        { shard: `127.0.0.1:${other.node.port}`, state: 'lost', detail: expect.stringMatching(/ended|ECONNREFUSED/) },
      ]);
      const unavailable = expect.objectContaining({ code: 'unavailable', retryable: true });
      await expect(subscriber.read(channel, { last: true, limit: 1 })).rejects.toEqual(unavailable);
      await expect(subscriber.subscribe(durableChannel(), listen().listener)).rejects.toEqual(unavailable);
      const waiting = startWaiting(subscriber);
      await other.node.restart();
      await until('resumed', () => calls.length === 2);
      await waiting;
      expect(subscriber.health()[0]?.state).toBe('ok');
    } finally {
      await other.stop();
    }
  });
});

/** A subscription that is asked for during the outage, again until it is given. */
async function startWaiting(subscriber: RedisSubscriber): Promise<void> {
  const channel = durableChannel();
  for (;;) {
    const given = await subscriber.subscribe(channel, listen().listener).catch(() => undefined);
    if (given) return;
  }
}
