import { expect, it } from 'vitest';
import type { ChannelSpec } from '../../../src/broker/broker.js';
import type { LogRecord } from '../../../src/broker/record.js';
import {
  collect,
  delay,
  durableChannel,
  json,
  numbered,
  offsets,
  payloadValue,
  publishOne,
  range,
  readAll,
  turn,
} from '../../support/broker-kit.js';
import type { BrokerPair } from './pair.js';

export function subscribeCases(brokers: () => BrokerPair): void {
  /** A record without what may differ between engines' views of the same bytes. */
  function plain({ payload, ...rest }: LogRecord) {
    return { ...rest, format: payload.format, bytes: Buffer.from(payload.bytes).toString('hex') };
  }

  it('pushes every record once, in order, the same as the log holds it', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscribers = [await collect(broker, channel), await collect(second, channel)];
    for (let i = 1; i <= 100; i++) {
      await (i % 2 ? broker : second).publish(channel, [
        json(i, { user: 'u', tags: { n: `${i}` } }),
        json(-i, { key: `${i}` }),
      ]);
    }
    const { entries } = await readAll(broker, channel);
    for (const subscriber of subscribers) {
      await subscriber.received(200);
      await delay(20);
      expect(subscriber.records.map(plain)).toEqual(entries.map(plain));
      expect(subscriber.interruptions).toBe(0);
    }
  });

  it('pushes the first record of a channel that was never published to', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscriber = await collect(second, channel);
    const { head } = await second.read(channel, { last: true, limit: 0 });
    await publishOne(broker, channel, json('first'));
    await subscriber.received(1);
    expect(subscriber.records[0]).toMatchObject({ epoch: head.epoch, offset: 1 });
  });

  it('leaves no hole between what a read after the acknowledgement holds and what is pushed', async () => {
    const { broker, second } = brokers();
    for (let round = 0; round < 10; round++) {
      const channel = durableChannel();
      let stop = false;
      const publishing = (async () => {
        while (!stop) {
          await broker.publish(channel, numbered(2));
          await turn();
        }
      })();
      await delay(round);
      const subscriber = await collect(second, channel);
      const { head, entries } = await readAll(second, channel);
      stop = true;
      await publishing;
      const last = await publishOne(broker, channel, json('end'));
      await subscriber.received(1);
      while (subscriber.records.at(-1)?.offset !== last.offset) await delay(1);
      expect(offsets(entries)).toEqual(range(1, head.offset));
      const behind = subscriber.records.filter(({ offset }) => offset > head.offset);
      expect(offsets(behind)).toEqual(range(head.offset + 1, last.offset));
      const first = subscriber.records[0]?.offset as number;
      expect(offsets(subscriber.records)).toEqual(range(first, last.offset));
    }
  });

  it('pushes nothing more once it was unsubscribed, and leaves the other gateway alone', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const leaving = await collect(broker, channel);
    const staying = await collect(second, channel);
    await broker.publish(channel, numbered(3));
    await leaving.received(3);
    const ended = leaving.subscription.unsubscribe();
    await broker.publish(channel, numbered(3, 4));
    await ended;
    await broker.publish(channel, numbered(3, 7));
    await staying.received(9);
    await delay(30);
    expect(offsets(leaving.records)).toEqual([1, 2, 3]);
    expect(offsets(staying.records)).toEqual(range(1, 9));
  });

  it('can be subscribed again', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    for (let round = 0; round < 5; round++) {
      const subscriber = await collect(second, channel);
      await broker.publish(channel, numbered(2));
      await subscriber.received(2);
      expect(offsets(subscriber.records)).toEqual([round * 3 + 1, round * 3 + 2]);
      await subscriber.subscription.unsubscribe();
      await publishOne(broker, channel, json('missed'));
    }
  });

  it('pushes without holes and repetitions however often it comes and goes', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    let stop = false;
    const publishing = (async () => {
      while (!stop) {
        await publishOne(broker, channel, json(1));
        await turn();
      }
    })();
    for (let round = 0; round < 20; round++) {
      const subscriber = await collect(second, channel);
      await subscriber.received(1 + (round % 3));
      await subscriber.subscription.unsubscribe();
      const first = subscriber.records[0]?.offset as number;
      expect(offsets(subscriber.records)).toEqual(range(first, first + subscriber.records.length - 1));
    }
    stop = true;
    await publishing;
  });

  it('pushes to each of 200 channels what is its own', async () => {
    const { broker, second } = brokers();
    const channels = range(1, 200).map((): ChannelSpec => durableChannel());
    const subscribers = await Promise.all(channels.map((channel) => collect(second, channel)));
    await Promise.all(channels.map((channel, i) => broker.publish(channel, [json(i), json('end')])));
    for (const [i, subscriber] of subscribers.entries()) {
      await subscriber.received(2);
      expect(subscriber.records.map(payloadValue)).toEqual([i, 'end']);
    }
    await Promise.all(subscribers.map(({ subscription }) => subscription.unsubscribe()));
  });

  it('gives every gateway the same order', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscribers = [await collect(broker, channel), await collect(second, channel)];
    const publishing = range(1, 100).map((n) => (n % 2 ? broker : second).publish(channel, [json(n), json(-n)]));
    await Promise.all(publishing);
    const { entries } = await readAll(broker, channel);
    for (const subscriber of subscribers) {
      await subscriber.received(200);
      expect(offsets(subscriber.records)).toEqual(range(1, 200));
      expect(subscriber.records.map(payloadValue)).toEqual(entries.map(payloadValue));
    }
  });

  it('is interrupted and resumed when it is distrusted, and pushes again', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const told: string[] = [];
    const records: LogRecord[] = [];
    const subscription = await second.subscribe(channel, {
      onRecord: (record) => records.push(record),
      onInterrupted: () => told.push('interrupted'),
      onResumed: () => told.push('resumed'),
      onDoubt: () => {},
    });
    subscription.distrust();
    const deadline = Date.now() + 20_000;
    while (told.at(-1) !== 'resumed' && Date.now() < deadline) await delay(5);
    expect(told).toEqual(['interrupted', 'resumed']);
    await publishOne(broker, channel, json('after'));
    while (records.length === 0 && Date.now() < deadline) await delay(5);
    expect(records.map(payloadValue)).toEqual(['after']);
    await subscription.unsubscribe();
  });
}
