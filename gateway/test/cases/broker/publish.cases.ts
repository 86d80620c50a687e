import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import type { ChannelSpec, ReplicasReached } from '../../../src/broker/broker.js';
import type { NewMessage } from '../../../src/broker/record.js';
import {
  collect,
  durableChannel,
  json,
  liveChannel,
  numbered,
  offsets,
  payloadText,
  payloadValue,
  positionOf,
  publishOne,
  range,
  readAll,
  unique,
} from '../../support/broker-kit.js';
import type { BrokerPair } from './pair.js';

export function publishCases(brokers: () => BrokerPair): void {
  it('gives offsets from 1, contiguous, in one epoch', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const positions = [];
    for (let i = 0; i < 10; i++) positions.push(await publishOne(broker, channel, json(i)));
    expect(offsets(positions)).toEqual(range(1, 10));
    expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1);
    expect(positions[0]?.epoch).toBeGreaterThan(0);
    expect(Number.isSafeInteger(positions[0]?.epoch)).toBe(true);
  });

  it('answers no messages with no outcomes', async () => {
    expect(await brokers().broker.publish(durableChannel(), [])).toEqual([]);
  });

  it('stores a batch in the order given and answers in that order', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    await broker.publish(channel, numbered(3));
    const outcomes = await broker.publish(channel, numbered(20, 4));
    expect(offsets(outcomes.map(positionOf))).toEqual(range(4, 23));
    const { entries } = await readAll(broker, channel);
    expect(entries.map(payloadValue)).toEqual(range(1, 23));
  });

  it('carries extensions of any kind, in the log, in pushes, and on live channels', async () => {
    const { broker, second } = brokers();
    const extensions = [
      { kind: 1, bytes: Buffer.from('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01') },
      { kind: 255, bytes: Buffer.alloc(0) },
    ];
    const channel = durableChannel();
    for (const one of [channel, liveChannel()]) {
      const subscriber = await collect(second, one);
      await broker.publish(one, [json(1, { user: 'u', extensions })]);
      await subscriber.received(1);
      expect(subscriber.records).toMatchObject([{ user: 'u', extensions }]);
    }
    expect((await readAll(broker, channel)).entries).toMatchObject([{ user: 'u', extensions }]);
  });

  it('takes 1000 messages in one call, and pushes them all', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscriber = await collect(second, channel);
    const outcomes = await broker.publish(channel, numbered(1000));
    expect(offsets(outcomes.map(positionOf))).toEqual(range(1, 1000));
    await subscriber.received(1000);
    expect(subscriber.records.map(payloadValue)).toEqual(range(1, 1000));
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual(range(1, 1000));
  });

  it('stores calls that do not wait for each other in call order', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const calls = range(1, 100).map((n) => publishOne(broker, channel, json(n)));
    expect(offsets(await Promise.all(calls))).toEqual(range(1, 100));
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual(range(1, 100));
  });

  it('gives each offset once to 50 publishers at a time on two gateways; the push order is the log order', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscribers = [await collect(broker, channel), await collect(second, channel)];
    const publishers = range(1, 50).map(async (publisher) => {
      const from = publisher % 2 === 0 ? broker : second;
      const positions = [];
      for (let i = 1; i <= 10; i++) positions.push(await publishOne(from, channel, json([publisher, i])));
      return positions;
    });
    const positions = (await Promise.all(publishers)).flat();
    expect(offsets(positions).sort((a, b) => a - b)).toEqual(range(1, 500));
    const { entries, head } = await readAll(broker, channel);
    expect(head.offset).toBe(500);
    expect(offsets(entries)).toEqual(range(1, 500));
    for (const subscriber of subscribers) {
      await subscriber.received(500);
      expect(subscriber.records.map(payloadText)).toEqual(entries.map(payloadText));
      expect(offsets(subscriber.records)).toEqual(range(1, 500));
    }
  });

  it('numbers 200 channels each on its own', async () => {
    const { broker } = brokers();
    const channels = range(1, 200).map(() => durableChannel());
    await Promise.all(channels.map((channel, i) => broker.publish(channel, numbered(3, i))));
    await Promise.all(channels.map((channel, i) => broker.publish(channel, numbered(2, i + 3))));
    for (const [i, channel] of channels.entries()) {
      const { entries } = await readAll(broker, channel);
      expect(offsets(entries)).toEqual(range(1, 5));
      expect(entries.map(payloadValue)).toEqual(range(i, i + 4));
    }
  });

  it('keeps channels apart whatever their names', async () => {
    const { broker, second } = brokers();
    const id = unique();
    const names = [
      `{${id}}`,
      `{${id}`,
      `${id}}`,
      `}{${id}`,
      `{}${id}`,
      `{s1}${id}`,
      `${id}:{a}:{b}`,
      `*${id}?[a-z]`,
      `${id}"'\\\``,
      `${id}:ü:日本語:🎺`,
      `${id}%s%00`,
      `${id}:`,
      `:${id}`,
      `${id}::`,
      `__proto__${id}`,
      id.padEnd(255, 'x'),
      id.padEnd(254, 'x'),
      `${id}${'é'.repeat((255 - id.length) >> 1)}`,
    ];
    const channels = names.map((name): ChannelSpec => ({ ...durableChannel(), name }));
    const subscribers = await Promise.all(channels.map((channel) => collect(second, channel)));
    await Promise.all(channels.map((channel) => broker.publish(channel, [json(channel.name), json('end')])));
    for (const [i, channel] of channels.entries()) {
      await subscribers[i]?.received(2);
      expect(subscribers[i]?.records.map(payloadValue)).toEqual([channel.name, 'end']);
      expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual([channel.name, 'end']);
    }
  });

  it('keeps user, key, tags and payload as they were published, in the log and in the push', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const everyByte = Uint8Array.from(range(0, 255));
    const roomy = new Uint8Array(300).fill(7);
    const messages: NewMessage[] = [
      ...['""', 'null', '0', '[]', '{}', ' {"a" : 1.0,\r\n "b":"\\u00e9" } ', '"日本語 🎺"', '1e400'].map(
        (text): NewMessage => ({ payload: { format: 'json', bytes: Buffer.from(text) } }),
      ),
      { payload: { format: 'msgpack', bytes: Buffer.concat([Buffer.from([0xc5, 1, 0]), everyByte]) } },
      { payload: { format: 'msgpack', bytes: Uint8Array.of(0xc0) } },
      { payload: { format: 'msgpack', bytes: roomy.subarray(100, 103) } },
      json(1, { user: 'u1' }),
      json(2, { user: 'Zoë 🎺' }),
      json(3, { key: `k-${unique()}` }),
      json(4, { key: 'k'.repeat(128) }),
      json(5, { tags: { a: 'b', 'ü {} "': ' \n', '': '' } }),
      json(6, { tags: {} }),
      json(7, { user: 'u', key: `ключ-${unique()}`, tags: { kind: 'x' } }),
    ];
    const subscriber = await collect(second, channel);
    (await broker.publish(channel, messages)).forEach(positionOf);
    await subscriber.received(messages.length);
    const { entries } = await readAll(broker, channel);
    const plain = (one: NewMessage) => ({
      format: one.payload.format,
      bytes: Buffer.from(one.payload.bytes).toString('hex'),
      user: one.user,
      key: one.key,
      tags: one.tags,
    });
    expect(entries.map(plain)).toEqual(messages.map(plain));
    expect(subscriber.records.map(plain)).toEqual(messages.map(plain));
  });

  it('carries 64 KiB payloads', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const bytes = Buffer.from(JSON.stringify('x'.repeat(64 * 1024 - 2)));
    const subscriber = await collect(second, channel);
    await broker.publish(
      channel,
      [1, 2, 3].map((): NewMessage => ({ payload: { format: 'json', bytes } })),
    );
    await subscriber.received(3);
    const { entries } = await readAll(broker, channel);
    for (const record of [...entries, ...subscriber.records]) {
      expect(Buffer.compare(record.payload.bytes, bytes)).toBe(0);
      expect(record.size).toBeGreaterThanOrEqual(bytes.length);
    }
    expect(entries.length).toBe(3);
  });

  it('gives times that are those of now and never go backwards', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const begin = Date.now();
    for (let i = 0; i < 20; i++) await publishOne(i % 2 ? broker : second, channel, json(i));
    const times = (await readAll(broker, channel)).entries.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(begin - 1000);
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now() + 1000);
  });

  it('refuses a message that no record can hold, and that one only', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const outcomes = await broker.publish(channel, [json(1), json(2, { tags: { a: 'x'.repeat(70_000) } }), json(3)]);
    expect(outcomes[1]).toMatchObject({ code: 'too_large', retryable: false });
    expect([positionOf(outcomes[0]).offset, positionOf(outcomes[2]).offset]).toEqual([1, 2]);
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual([1, 3]);
  });

  it('says what was reached when replicas were asked for, and only then', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const [stored] = await broker.publish(channel, [json(1)], {});
    expect(Object.keys(stored ?? {})).not.toContain('reached');
    const outcomes = await broker.publish(channel, numbered(2, 2), { replicas: 'all' });
    expect(offsets(outcomes.map(positionOf))).toEqual([2, 3]);
    for (const outcome of outcomes) {
      if (outcome instanceof Error) throw outcome;
      const { replicas, of } = outcome.reached as ReplicasReached;
      expect(replicas).toBeGreaterThanOrEqual(0);
      expect(of).toBeGreaterThanOrEqual(replicas);
    }
  });

  it('tells the health of its parts', () => {
    const health = brokers().broker.health();
    expect(health.length).toBeGreaterThan(0);
    expect(health.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(new Set(health.map(({ shard }) => shard)).size).toBe(health.length);
  });
}
