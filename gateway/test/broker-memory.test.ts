import { createMemoryBroker } from '../src/broker/memory/memory-broker.js';
import { MemoryLog } from '../src/broker/memory/memory-log.js';
import { systemClock } from '../src/clock.js';
import { brokerCases } from './cases/broker.cases.js';
import { FaultyBroker, FaultyLog } from './support/faulty-broker.js';

brokerCases('memory', async ({ idempotencyMs }) => {
  const log = new MemoryLog({ clock: systemClock, idempotencyMs });
  const broker = createMemoryBroker({ log });
  const second = createMemoryBroker({ log });
  await Promise.all([broker.start(), second.start()]);
  return {
    broker,
    second,
    async stop() {
      await Promise.all([broker.close(), second.close()]);
    },
  };
});

brokerCases('faulty, without faults but late,', async ({ idempotencyMs }) => {
  const log = new FaultyLog({ clock: systemClock, idempotencyMs });
  const late = (task: () => void) => setImmediate(task);
  const broker = new FaultyBroker(log, late);
  const second = new FaultyBroker(log, late);
  return {
    broker,
    second,
    async stop() {
      await Promise.all([broker.close(), second.close()]);
    },
  };
});
