import { expect, it } from 'vitest';
import { collect, delay, json, liveChannel, numbered, payloadValue, range } from '../../support/broker-kit.js';
import type { BrokerPair } from './pair.js';

export function liveCases(brokers: () => BrokerPair): void {
  it('push to those who are subscribed now, on every gateway, without a position', async () => {
    const { broker, second } = brokers();
    const channel = liveChannel();
    const subscribers = [await collect(broker, channel), await collect(second, channel)];
    const before = Date.now();
    const outcomes = await broker.publish(channel, [json('a', { user: 'u', key: 'k', tags: { t: 'v' } }), json('b')]);
    expect(outcomes).toEqual([{}, {}]);
    for (const subscriber of subscribers) {
      await subscriber.received(2);
      expect(subscriber.records.map(payloadValue)).toEqual(['a', 'b']);
      const [record] = subscriber.records;
      expect(record).toMatchObject({ epoch: 0, offset: 0, user: 'u', key: 'k', tags: { t: 'v' } });
      expect(record?.time).toBeGreaterThanOrEqual(before - 1000);
      expect(record?.time).toBeLessThanOrEqual(Date.now() + 1000);
    }
  });

  it('store nothing', async () => {
    const { broker, second } = brokers();
    const channel = liveChannel();
    await broker.publish(channel, numbered(3));
    const subscriber = await collect(second, channel);
    await broker.publish(channel, [json('now')]);
    await subscriber.received(1);
    expect(subscriber.records.map(payloadValue)).toEqual(['now']);
    const page = await second.read({ ...channel, durable: true }, { last: true, limit: 10 });
    expect([page.head.offset, page.entries]).toEqual([0, []]);
  });

  it('take publishes nobody listens to', async () => {
    expect(await brokers().broker.publish(liveChannel(), numbered(2))).toEqual([{}, {}]);
  });

  it('push a key once within the window, and keep the keys of channels apart', async () => {
    const { broker, second } = brokers();
    const channel = liveChannel();
    const other = { ...channel, name: `${channel.name}:k` };
    const subscriber = await collect(broker, channel);
    expect(await broker.publish(channel, [json(1, { key: 'k:l' }), json(2), json(3, { key: 'k:l' })])).toEqual([
      {},
      {},
      { duplicate: true },
    ]);
    expect(await second.publish(channel, [json(4, { key: 'k:l' })])).toEqual([{ duplicate: true }]);
    expect(await broker.publish(other, [json(5, { key: 'l' })])).toEqual([{}]);
    expect(await broker.publish(channel, [json(6, { key: 'm' })])).toEqual([{}]);
    await subscriber.received(3);
    expect(subscriber.records.map(payloadValue)).toEqual([1, 2, 6]);
  });

  it('keep the order of a gateway, in batches of 1000 and in single calls that do not wait', async () => {
    const { broker, second } = brokers();
    const channel = liveChannel();
    const subscriber = await collect(second, channel);
    await broker.publish(channel, numbered(1000));
    await Promise.all(range(1001, 1100).map((n) => broker.publish(channel, [json(n)])));
    await subscriber.received(1100);
    expect(subscriber.records.map(payloadValue)).toEqual(range(1, 1100));
  });

  it('refuse a message that no record can hold, and that one only', async () => {
    const { broker } = brokers();
    const channel = liveChannel();
    const subscriber = await collect(broker, channel);
    const outcomes = await broker.publish(channel, [json(1), json(2, { tags: { a: 'x'.repeat(70_000) } }), json(3)]);
    expect(outcomes[1]).toMatchObject({ code: 'too_large' });
    await subscriber.received(2);
    expect(subscriber.records.map(payloadValue)).toEqual([1, 3]);
  });

  it('stop pushing once unsubscribed, and push again when subscribed again', async () => {
    const { broker, second } = brokers();
    const channel = liveChannel();
    const first = await collect(second, channel);
    await first.subscription.unsubscribe();
    await broker.publish(channel, [json('unheard')]);
    await delay(20);
    const again = await collect(second, channel);
    await broker.publish(channel, [json('heard')]);
    await again.received(1);
    expect(first.records).toEqual([]);
    expect(again.records.map(payloadValue)).toEqual(['heard']);
  });
}
