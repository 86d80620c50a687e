import { expect, it } from 'vitest';
import { collect, delay, durableChannel, json, liveChannel, payloadValue } from '../../support/broker-kit.js';
import type { BrokerPair, MakeBrokers } from './pair.js';

export function closingCases(brokers: () => BrokerPair, makeBrokers: MakeBrokers): void {
  it('ends the pushes of that gateway only', async () => {
    const own = await makeBrokers({ idempotencyMs: 60_000 });
    try {
      const channel = durableChannel();
      const closing = await collect(own.broker, channel);
      const staying = await collect(own.second, channel);
      await own.broker.close();
      await own.second.publish(channel, [json('after')]);
      await staying.received(1);
      await delay(20);
      expect(closing.records).toEqual([]);
      expect(staying.records.map(payloadValue)).toEqual(['after']);
    } finally {
      await own.stop();
    }
  });

  it('makes every later call unavailable, and may be done twice', async () => {
    const own = await makeBrokers({ idempotencyMs: 60_000 });
    try {
      await own.broker.close();
      await own.broker.close();
      const refused = { code: 'unavailable', retryable: true };
      await expect(own.broker.publish(durableChannel(), [json(1)])).rejects.toMatchObject(refused);
      await expect(own.broker.publish(liveChannel(), [json(1)])).rejects.toMatchObject(refused);
      await expect(own.broker.read(durableChannel(), { last: true, limit: 1 })).rejects.toMatchObject(refused);
      await expect(collect(own.broker, durableChannel())).rejects.toMatchObject(refused);
      expect(own.broker.health().map(({ state }) => state)).not.toContain('ok');
    } finally {
      await own.stop();
    }
  });

  it('leaves the brokers of other gateways as they were', async () => {
    const { broker, second } = brokers();
    for (const one of [broker, second]) expect(one.health().every(({ state }) => state === 'ok')).toBe(true);
  });
}
