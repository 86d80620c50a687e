import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChannelSpec, type LogPage, NEW_IDENTITY_MS, type ReadRange } from '../../src/broker/broker.js';
import type { LogPosition, LogRecord } from '../../src/broker/record.js';
import { decodeRecord, splitPush } from '../../src/broker/record-codec.js';
import { META_TTL_MS, readLog as readServed } from '../../src/broker/redis/scripts/scripts.js';
import { judge } from '../../src/broker/resume.js';
import { channelKeys } from '../../src/redis/keys.js';
import type { ScriptConnection } from '../../src/redis/script.js';
import { durableChannel, json, offsets } from '../support/broker-kit.js';
import { type RedisNode, type StandaloneServers, startRedis, until } from '../support/redis-servers.js';
import { store } from '../support/script-publisher.js';

const WINDOW_MS = 300_000;
const ALL: ReadRange = { last: true, limit: 1000 };

let servers: StandaloneServers;
let redis: Redis;

beforeAll(async () => {
  servers = await startRedis({ appendonly: true });
  redis = servers.node.client;
});
afterAll(() => servers?.stop());

async function readLog(connection: ScriptConnection, channel: ChannelSpec, range: ReadRange): Promise<LogPage> {
  return (await readServed(connection, channel, range)).page;
}

/** Publishes one message for each value; a value `[n, key]` has an idempotency key. */
async function publish(connection: Redis, channel: ChannelSpec, ...values: (number | [number, string])[]) {
  const messages = values.map((value) => {
    const [n, key] = Array.isArray(value) ? value : [value];
    return json(n, { key });
  });
  return store(connection, channel, messages);
}

async function publishOne(connection: Redis, channel: ChannelSpec, value: number | [number, string] = 1) {
  return (await publish(connection, channel, value))[0]?.position as LogPosition;
}

/** Rewrites what meta tells, as if it had been written at another time or by another server. */
async function rewriteMeta(connection: Redis, channel: ChannelSpec, change: { epoch?: number; replid?: string }) {
  const { meta } = channelKeys(channel.name);
  const [epoch, offset, replid, expiresAt, lineage] = ((await connection.get(meta)) as string).split(' ');
  const fields = [change.epoch ?? epoch, offset, change.replid ?? replid, expiresAt];
  const newLineage = change.epoch === undefined ? lineage : `${change.epoch}:0`;
  await connection.set(meta, [...fields, newLineage].join(' '), 'KEEPTTL');
}

const anotherServer = (n: number) => String(n).padStart(40, '0');
const values = (entries: readonly LogRecord[]) => entries.map(({ payload }) => Number(Buffer.from(payload.bytes)));

describe('publishing', () => {
  it('appends a batch in the order given, in one stretch of offsets', async () => {
    const channel = durableChannel();
    const before = Date.now();
    expect((await publish(redis, channel, 10, 11)).map(({ position }) => position.offset)).toEqual([1, 2]);
    expect((await publish(redis, channel, 12)).map(({ position }) => position.offset)).toEqual([3]);
    const { entries, head, lineage } = await readLog(redis, channel, ALL);
    expect(values(entries)).toEqual([10, 11, 12]);
    expect(head).toEqual({ epoch: head.epoch, offset: 3 });
    expect(lineage).toEqual([{ epoch: head.epoch, baseOffset: 0 }]);
    for (const { time, epoch } of entries) {
      expect(epoch).toBe(head.epoch);
      expect(time).toBeGreaterThanOrEqual(before - 1);
      expect(time).toBeLessThanOrEqual(Date.now() + 1);
    }
  });

  it('pushes exactly what it stores, to the sharded channel of the app channel', async () => {
    const channel = durableChannel({ name: 'with{braces}:c:and}more{' });
    const { push, log } = channelKeys(channel.name);
    const subscriber = new Redis(servers.node.port);
    const pushed: Buffer[] = [];
    subscriber.on('smessageBuffer', (name: Buffer, record: Buffer) => {
      expect(name.toString()).toBe(push);
      pushed.push(...splitPush(record));
    });
    await subscriber.ssubscribe(push);
    await publish(redis, channel, 1, [2, 'k'], [3, 'k']);
    await until('two pushes', () => pushed.length === 2);
    const stored = (await redis.xrangeBuffer(log, '-', '+')).map(([, fields]) => fields[1]);
    expect(pushed).toEqual(stored);
    expect(pushed.map(decodeRecord).map(({ offset }) => offset)).toEqual([1, 2]);
    subscriber.disconnect();
  });

  it('answers a key seen within the window with the first position', async () => {
    const channel = durableChannel();
    const [first, repeated] = await publish(redis, channel, [1, 'k'], [2, 'k']);
    expect(repeated).toEqual({ position: first?.position, duplicate: true });
    expect(await publish(redis, channel, [3, 'k'])).toEqual([{ position: first?.position, duplicate: true }]);
    expect((await readLog(redis, channel, ALL)).head.offset).toBe(1);
    const ttl = await redis.pttl(`${channelKeys(channel.name).idempotency}k`);
    expect(ttl).toBeGreaterThan(WINDOW_MS - 10_000);
    expect(ttl).toBeLessThanOrEqual(WINDOW_MS);
  });

  it('keeps key "c" of channel "a:b" apart from key "b:c" of channel "a"', async () => {
    const other = durableChannel();
    const one = { ...other, name: `${other.name}:b` };
    expect(await publish(redis, one, [1, 'c'])).toMatchObject([{ duplicate: false }]);
    expect(await publish(redis, other, [2, 'b:c'])).toMatchObject([{ duplicate: false }]);
  });

  it('lets an idle log end, and keeps its identity for longer', async () => {
    const channel = durableChannel({ historyTtlMs: 5000 });
    const { log, meta } = channelKeys(channel.name);
    const publishedAt = Date.now();
    await publish(redis, channel, 1);
    const ttl = await redis.pttl(log);
    expect(ttl).toBeGreaterThanOrEqual(5000 - (Date.now() - publishedAt) - 1);
    expect(ttl).toBeLessThanOrEqual((5000 * 9) / 8);
    expect(await redis.pttl(meta)).toBeGreaterThan(META_TTL_MS - 10_000);
    const kept = durableChannel({ historyTtlMs: META_TTL_MS * 2 });
    await publish(redis, kept, 1);
    const longest = await redis.pttl(channelKeys(kept.name).log);
    expect(await redis.pttl(channelKeys(kept.name).meta)).toBeGreaterThan(longest);
  });

  it('lengthens the life of a log before it is shorter than the history, also when the history was changed', async () => {
    const channel = durableChannel({ historyTtlMs: 2000 });
    const { log } = channelKeys(channel.name);
    const until = Date.now() + 600;
    while (Date.now() < until) {
      const publishedAt = Date.now();
      await publish(redis, channel, 1);
      const ttl = await redis.pttl(log);
      expect(ttl).toBeGreaterThanOrEqual(2000 - (Date.now() - publishedAt) - 1);
      expect(ttl).toBeLessThanOrEqual(2250);
    }
    await publish(redis, { ...channel, historyTtlMs: 100_000 }, 1);
    expect(await redis.pttl(log)).toBeGreaterThan(80_000);
    await publish(redis, channel, 1);
    expect(await redis.pttl(log)).toBeLessThanOrEqual(2250);
  });

  it('trims to about the size of the history, never below it', async () => {
    const channel = durableChannel({ historySize: 200 });
    for (let i = 0; i < 10; i++) await publish(redis, channel, ...Array.from({ length: 100 }, (_, n) => n));
    const length = await redis.xlen(channelKeys(channel.name).log);
    expect(length).toBeGreaterThanOrEqual(200);
    expect(length).toBeLessThan(600);
  });

  it('refuses a whole batch when memory is full, and delivers none of it', async () => {
    const channel = durableChannel();
    const { push, log } = channelKeys(channel.name);
    await publish(redis, channel, [1, 'seen']);
    const subscriber = new Redis(servers.node.port);
    let pushes = 0;
    subscriber.on('smessage', () => pushes++);
    await subscriber.ssubscribe(push);
    await redis.config('SET', 'maxmemory', '1');
    try {
      await expect(publish(redis, channel, 2, [3, 'k'])).rejects.toThrow(/^OOM/);
      expect(await publish(redis, channel, [4, 'seen'])).toMatchObject([{ duplicate: true }]);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    expect(await redis.xlen(log)).toBe(1);
    expect(await publish(redis, channel, [5, 'k'])).toMatchObject([{ duplicate: false, position: { offset: 2 } }]);
    await until('the push', () => pushes > 0);
    expect(pushes).toBe(1);
    subscriber.disconnect();
  });

  it('is loaded again after SCRIPT FLUSH', async () => {
    const channel = durableChannel();
    await publish(redis, channel, 1);
    await redis.script('FLUSH');
    expect(await publish(redis, channel, 2)).toMatchObject([{ position: { offset: 2 } }]);
    await redis.script('FLUSH');
    expect((await readLog(redis, channel, ALL)).head.offset).toBe(2);
  });
});

describe('epochs', () => {
  it('begins a new one when the server restarted, and says where', async () => {
    const channel = durableChannel();
    const first = await publishOne(redis, channel);
    await publish(redis, channel, 2);
    await servers.node.restart();
    const unchanged = await readLog(redis, channel, ALL);
    expect(unchanged.head).toEqual({ epoch: first.epoch, offset: 2 });
    const next = await publishOne(redis, channel);
    expect(next.offset).toBe(3);
    expect(next.epoch).toBeGreaterThan(first.epoch);
    const { lineage } = await readLog(redis, channel, ALL);
    expect(lineage).toEqual([
      { epoch: first.epoch, baseOffset: 0 },
      { epoch: next.epoch, baseOffset: 2 },
    ]);
    expect((await publishOne(redis, channel)).epoch).toBe(next.epoch);
  });

  it('is another one although meta and log vanished a moment ago', async () => {
    const channel = durableChannel();
    const { log, meta } = channelKeys(channel.name);
    const epochs = new Set<number>();
    for (let i = 0; i < 20; i++) {
      epochs.add((await publishOne(redis, channel)).epoch);
      await redis.del(log, meta);
    }
    expect(epochs.size).toBe(20);
  });

  it('is remembered as long as the log holds an entry of it, and 16 of those that were trimmed', async () => {
    const channel = durableChannel();
    const { log } = channelKeys(channel.name);
    const move = async (n: number) => {
      await rewriteMeta(redis, channel, { replid: anotherServer(n) });
      return publishOne(redis, channel, n);
    };
    const first = await publishOne(redis, channel, 0);
    const epochs = [first.epoch];
    for (let n = 1; n <= 40; n++) epochs.push((await move(n)).epoch);
    const whole = await readLog(redis, channel, ALL);
    expect(whole.lineage.map(({ epoch }) => epoch)).toEqual(epochs);
    expect(judge(first, whole)).toMatchObject({ ok: true });
    await redis.xtrim(log, 'MAXLEN', 20);
    epochs.push((await move(41)).epoch);
    // Twenty entries and the new one, and the epoch at whose end the oldest of them begins.
    expect((await readLog(redis, channel, ALL)).lineage.map(({ epoch }) => epoch)).toEqual(epochs.slice(-22));
    await redis.xtrim(log, 'MAXLEN', 1);
    epochs.push((await move(42)).epoch);
    expect((await readLog(redis, channel, ALL)).lineage.map(({ epoch }) => epoch)).toEqual(epochs.slice(-16));
  });

  it('grows when the log forked under a clock that stepped back', async () => {
    const channel = durableChannel();
    await publish(redis, channel, 1, 2);
    const ahead = (Date.now() + 3600_000) * 1000;
    await rewriteMeta(redis, channel, { epoch: ahead, replid: anotherServer(0) });
    const next = await publishOne(redis, channel);
    expect(next.epoch).toBeGreaterThan(ahead);
    expect(next.epoch - ahead).toBeLessThanOrEqual(2 ** 20);
    expect((await publishOne(redis, channel)).epoch).toBe(next.epoch);
  });

  it('differs between two forks of one log whose clocks are slow', async () => {
    const forked = await startRedis({ replicas: 2 });
    try {
      const channel = durableChannel();
      await publish(forked.node.client, channel, 1);
      const ahead = (Date.now() + 3600_000) * 1000;
      await rewriteMeta(forked.node.client, channel, { epoch: ahead });
      await forked.node.client.wait(2, 5000);
      const [a, b] = await Promise.all(
        forked.replicas.map(async ({ client }) => {
          await client.replicaof('NO', 'ONE');
          return publishOne(client, channel);
        }),
      );
      expect(a?.offset).toBe(b?.offset);
      expect(a?.epoch).not.toBe(b?.epoch);
      expect(Math.min(a?.epoch ?? 0, b?.epoch ?? 0)).toBeGreaterThan(ahead);
    } finally {
      await forked.stop();
    }
  });

  it('survives the loss of meta: the log tells its head, and readers and publishers agree', async () => {
    const channel = durableChannel();
    const { log, meta } = channelKeys(channel.name);
    const first = await publishOne(redis, channel);
    await publish(redis, channel, 2, 3);
    await redis.xtrim(log, 'MAXLEN', 2);
    await redis.del(meta);
    const seen = await readLog(redis, channel, ALL);
    expect(seen.head).toEqual({ epoch: first.epoch, offset: 3 });
    expect(seen.lineage).toEqual([{ epoch: first.epoch, baseOffset: 1 }]);
    expect(await redis.exists(meta)).toBe(0);
    const next = await publishOne(redis, channel);
    expect(next.offset).toBe(4);
    const { lineage, entries } = await readLog(redis, channel, ALL);
    expect(lineage).toEqual([
      { epoch: first.epoch, baseOffset: 1 },
      { epoch: next.epoch, baseOffset: 3 },
    ]);
    expect(offsets(entries)).toEqual([2, 3, 4]);
  });

  it('survives the loss of the log: offsets run on, and who missed something is told', async () => {
    const channel = durableChannel();
    const first = await publishOne(redis, channel);
    await publish(redis, channel, 2, 3);
    await redis.del(channelKeys(channel.name).log);
    const after = async (offset: number) => {
      const at = { epoch: first.epoch, offset };
      return judge(at, await readLog(redis, channel, { after: at, limit: 100 }));
    };
    expect(await after(3)).toMatchObject({ ok: true });
    expect(await after(1)).toMatchObject({ ok: false, reason: 'expired', at: { offset: 3 } });
    expect(await publishOne(redis, channel)).toEqual({ epoch: first.epoch, offset: 4 });
    expect(await after(3)).toMatchObject({ ok: true });
    expect(await after(1)).toMatchObject({ ok: false, reason: 'expired', at: { offset: 3 } });
  });

  it('refuses to publish on a read-only replica, and reads there without writing', async () => {
    const pair = await startRedis({ replicas: 1 });
    try {
      const channel = durableChannel();
      const replica = pair.replicas[0] as RedisNode;
      await publish(pair.node.client, channel, [1, 'k']);
      await pair.node.client.wait(1, 5000);
      await expect(publish(replica.client, channel, 2)).rejects.toThrow(/^READONLY/);
      await expect(publish(replica.client, channel, [2, 'k'])).rejects.toThrow(/^READONLY/);
      const served = await readServed(replica.client, channel, ALL, { renew: true });
      expect(served).toMatchObject({ page: { head: { offset: 1 } }, role: 'slave' });
      await expect(readLog(replica.client, durableChannel(), ALL)).rejects.toThrow(/^READONLY/);
    } finally {
      await pair.stop();
    }
  });
});

describe('reading', () => {
  it('gives a channel that has neither meta nor log an identity, once, for minutes unless it is renewed', async () => {
    const channel = durableChannel({ historyTtlMs: 7200_000 });
    const peeked = await readLog(redis, channel, { last: true, limit: 0, isPeek: true });
    expect(peeked).toMatchObject({ head: { offset: 0 }, entries: [], more: false });
    expect(await redis.exists(channelKeys(channel.name).meta)).toBe(0);
    const first = await readLog(redis, channel, { last: true, limit: 0 });
    expect(first).toMatchObject({ head: { offset: 0 }, entries: [], more: false });
    expect((await readLog(redis, channel, ALL)).head).toEqual(first.head);
    const { meta } = channelKeys(channel.name);
    expect(await redis.pttl(meta)).toBeLessThanOrEqual(NEW_IDENTITY_MS);
    await redis.pexpire(meta, NEW_IDENTITY_MS / 2);
    await readLog(redis, channel, ALL);
    expect(await redis.pttl(meta)).toBeLessThanOrEqual(NEW_IDENTITY_MS / 2);
    await readServed(redis, channel, ALL, { renew: true });
    expect(await redis.pttl(meta)).toBeGreaterThan(NEW_IDENTITY_MS - 10_000);
    expect(await publishOne(redis, channel)).toEqual({ epoch: first.head.epoch, offset: 1 });
  });

  it('pages in each direction and says whether there is more', async () => {
    const channel = durableChannel();
    await publish(redis, channel, ...Array.from({ length: 100 }, (_, n) => n));
    const { head } = await readLog(redis, channel, ALL);
    const at = (offset: number) => ({ epoch: head.epoch, offset });
    const read = async (range: ReadRange) => {
      const page = await readLog(redis, channel, range);
      return [page.entries[0]?.offset, page.entries.at(-1)?.offset, page.entries.length, page.more];
    };
    expect(await read({ after: at(0), limit: 40 })).toEqual([1, 40, 40, true]);
    expect(await read({ after: at(40), limit: 60 })).toEqual([41, 100, 60, false]);
    expect(await read({ after: at(100), limit: 10 })).toEqual([undefined, undefined, 0, false]);
    expect(await read({ before: at(41), limit: 40 })).toEqual([1, 40, 40, false]);
    expect(await read({ before: at(41), limit: 39 })).toEqual([2, 40, 39, true]);
    expect(await read({ last: true, limit: 17 })).toEqual([84, 100, 17, true]);
    expect(await read({ last: true, limit: 0 })).toEqual([undefined, undefined, 0, true]);
    const size = (await readLog(redis, channel, { last: true, limit: 1 })).entries[0]?.size as number;
    expect(await read({ after: at(50), limit: 40, maxBytes: size * 3 })).toEqual([51, 53, 3, true]);
    expect(await read({ last: true, limit: 40, maxBytes: 1 })).toEqual([100, 100, 1, true]);
  });

  it('finds the first entry at or after a time, across epochs', async () => {
    const channel = durableChannel({ historySize: 10_000 });
    const { log } = channelKeys(channel.name);
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 3; i++) await publish(redis, channel, 1, 2, 3, 4, 5, 6, 7);
      await rewriteMeta(redis, channel, { replid: anotherServer(round) });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await redis.xtrim(log, 'MAXLEN', 90);
    const { entries } = await readLog(redis, channel, ALL);
    times.push(...new Set(entries.map(({ time }) => time)));
    const first = times[0] as number;
    const last = times.at(-1) as number;
    for (const sinceTime of [0, first - 1, ...times, ...times.map((time) => time + 1), last + 1000]) {
      const page = await readLog(redis, channel, { sinceTime, limit: 1000 });
      expect(offsets(page.entries)).toEqual(offsets(entries.filter(({ time }) => time >= sinceTime)));
    }
  });
});
