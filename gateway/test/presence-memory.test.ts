import { createMemoryBroker } from '../src/broker/memory/memory-broker.js';
import { systemClock } from '../src/clock.js';
import { MemoryPresence } from '../src/presence/memory/memory-presence.js';
import { presenceCases } from './cases/presence.cases.js';

presenceCases(async () => {
  const broker = createMemoryBroker({ clock: systemClock });
  await broker.start();
  const store = new MemoryPresence({ broker, clock: systemClock });
  return { stores: [store, store], stop: () => broker.close() };
});
