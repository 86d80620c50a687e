import { expect, it } from 'vitest';
import { collect, durableChannel, numbered } from '../../../test/support/broker-kit.js';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { createMemoryBroker } from './memory-broker.js';
import { MemoryLog } from './memory-log.js';

it('sweeps its log every minute from start to close', async () => {
  const clock = new ManualClock();
  let sweeps = 0;
  class CountedLog extends MemoryLog {
    override sweep(): void {
      sweeps++;
      super.sweep();
    }
  }
  const broker = createMemoryBroker({ log: new CountedLog({ clock }) });
  clock.advance(300_000);
  expect(sweeps).toBe(0);
  await broker.start();
  clock.advance(300_000);
  expect(sweeps).toBe(5);
  await broker.close();
  clock.advance(300_000);
  expect(sweeps).toBe(5);
  expect(clock.timers).toBe(0);
});

it('holds idempotency keys for five minutes unless told otherwise', () => {
  const clock = new ManualClock();
  expect(createMemoryBroker({ clock }).idempotencyMs).toBe(300_000);
  expect(createMemoryBroker({ clock, idempotencyMs: 7 }).idempotencyMs).toBe(7);
});

it('says nothing to a listener that left between distrust and its consequence', async () => {
  const clock = new ManualClock();
  const broker = createMemoryBroker({ clock });
  const channel = durableChannel();
  const subscriber = await collect(broker, channel);
  subscriber.subscription.distrust();
  await subscriber.subscription.unsubscribe();
  clock.advance(10_000);
  expect(subscriber.interruptions).toBe(0);
  await broker.publish(channel, numbered(1));
  expect(subscriber.records).toEqual([]);
});
