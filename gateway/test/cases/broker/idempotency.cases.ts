import { expect, it } from 'vitest';
import type { ChannelSpec } from '../../../src/broker/broker.js';
import {
  collect,
  delay,
  durableChannel,
  json,
  numbered,
  payloadValue,
  positionOf,
  range,
  readAll,
  unique,
} from '../../support/broker-kit.js';
import type { BrokerPair, MakeBrokers } from './pair.js';

export function idempotencyCases(brokers: () => BrokerPair, makeBrokers: MakeBrokers): void {
  it('tells how long a key holds', () => {
    expect(brokers().broker.idempotencyMs).toBe(60_000);
  });

  it('answers a key seen before with the first position, on every gateway, and delivers nothing', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscriber = await collect(second, channel);
    const [first] = await broker.publish(channel, [json('first', { key: 'k' })]);
    expect(first).not.toHaveProperty('duplicate');
    await broker.publish(channel, [json('between')]);
    for (const from of [broker, second]) {
      const [again] = await from.publish(channel, [json('again', { key: 'k' })]);
      expect(again).toEqual({ position: positionOf(first), duplicate: true });
    }
    await broker.publish(channel, [json('end')]);
    await subscriber.received(3);
    expect(subscriber.records.map(payloadValue)).toEqual(['first', 'between', 'end']);
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual(['first', 'between', 'end']);
  });

  it('takes a key repeated inside a batch as a duplicate', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    await broker.publish(channel, [json(0, { key: 'old' })]);
    const outcomes = await broker.publish(channel, [
      json(1, { key: 'a' }),
      json(2),
      json(3, { key: 'a' }),
      json(4, { key: 'old' }),
      json(5, { key: 'b' }),
      json(6, { key: 'a' }),
      json(7),
    ]);
    expect(outcomes.map(positionOf).map(({ offset }) => offset)).toEqual([2, 3, 2, 1, 4, 2, 5]);
    const duplicates = outcomes.map((one) => !(one instanceof Error) && one.duplicate === true);
    expect(duplicates).toEqual([false, false, true, true, false, true, false]);
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual([0, 1, 2, 5, 7]);
  });

  it('stores one of many publishes with one key that race on two gateways', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const racing = range(1, 40).map((n) => (n % 2 ? broker : second).publish(channel, [json(n, { key: 'race' })]));
    const outcomes = (await Promise.all(racing)).flat();
    expect(new Set(outcomes.map((one) => positionOf(one).offset))).toEqual(new Set([1]));
    expect(outcomes.filter((one) => !(one instanceof Error) && !one.duplicate).length).toBe(1);
    expect((await readAll(broker, channel)).entries.length).toBe(1);
  });

  it('keeps the keys of each channel apart, colons or not', async () => {
    const { broker } = brokers();
    const id = unique();
    const pairs: [channel: string, key: string][] = [
      [`${id}:a:b`, 'c'],
      [`${id}:a`, 'b:c'],
      [`${id}`, 'a:b:c'],
      [`${id}:a:b:c`, ':'],
      [`${id}:a:b:c:`, ':'],
      [`{${id}`, '}k'],
      [`{${id}}`, 'k'],
      [`${id}:1`, '1:1'],
      [`${id}:1:1`, '1'],
      [`${id}:é`, 'k'],
      [`${id}:e`, '\u0301k'],
    ];
    for (const [name, key] of pairs) {
      const channel: ChannelSpec = { ...durableChannel(), name };
      const [outcome] = await broker.publish(channel, [json(1, { key })]);
      expect(outcome, `${name} ${key}`).not.toHaveProperty('duplicate');
      const [again] = await broker.publish(channel, [json(1, { key })]);
      expect(again, `${name} ${key}`).toMatchObject({ duplicate: true, position: { offset: 1 } });
    }
  });

  it('takes keys of 128 bytes for what they are, to the last byte', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const keys = [`${'k'.repeat(127)}a`, `${'k'.repeat(127)}b`, '🎺'.repeat(32), 'K', 'k', ' ', '\n'];
    const outcomes = await broker.publish(
      channel,
      keys.map((key) => json(key, { key })),
    );
    expect(outcomes.map(positionOf).map(({ offset }) => offset)).toEqual(range(1, keys.length));
  });

  it('holds a key as long as it says, then forgets it', async () => {
    const own = await makeBrokers({ idempotencyMs: 2000 });
    try {
      const channel = durableChannel();
      expect(own.broker.idempotencyMs).toBe(2000);
      await own.broker.publish(channel, [json(1, { key: 'k' })]);
      const [soon] = await own.broker.publish(channel, [json(2, { key: 'k' })]);
      expect(soon).toMatchObject({ duplicate: true });
      await delay(2200);
      const [late] = await own.broker.publish(channel, [json(3, { key: 'k' })]);
      expect(late).not.toHaveProperty('duplicate');
      expect(positionOf(late).offset).toBe(2);
    } finally {
      await own.stop();
    }
  });

  it('says duplicate with what was reached when replicas were asked for', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    await broker.publish(channel, [...numbered(2), json(3, { key: 'k' })]);
    const [again] = await broker.publish(channel, [json(4, { key: 'k' })], { replicas: 'all' });
    expect(again).toMatchObject({
      duplicate: true,
      position: { offset: 3 },
      reached: { replicas: expect.any(Number) },
    });
  });
}
