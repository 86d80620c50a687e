import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import { NEW_IDENTITY_MS } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { MemoryLog } from '../broker/memory/memory-log.js';
import { createStats } from '../stats.js';
import { Hub } from './hub.js';

/** A log that tells how many channels it knows. */
class CountedLog extends MemoryLog {
  get known(): number {
    return this.channels.size;
  }
}

it('keeps nothing of 100,000 joins once all have left', async () => {
  const clock = new ManualClock();
  const log = new CountedLog({ clock });
  const broker = createMemoryBroker({ log });
  const stats = createStats();
  const faults: unknown[] = [];
  const onFault = (...fault: unknown[]) => faults.push(fault);
  const hub = new Hub({ broker, transport: { publish() {} }, clock, stats, onFault });
  const timers = clock.timers;
  for (let round = 0; round < 50; round++) {
    const memberships = await Promise.all(
      Array.from({ length: 2_000 }, async (_, index) => {
        const membership = hub.enter(openChannel(`c${round % 2}-${index}`), plainSubscriber());
        await membership.channel.join(membership, undefined, () => {});
        return membership;
      }),
    );
    expect([hub.size, stats.subscriptions]).toEqual([2_000, 2_000]);
    for (const membership of memberships) membership.leave();
    for (const { channel } of memberships) channel.end();
    await nextTurn();
  }
  expect([hub.size, stats.channels, stats.subscriptions, hub.stalls(), clock.timers - timers]).toEqual([
    0,
    0,
    0,
    [],
    0,
  ]);
  // What nobody published to is forgotten with the next sweep.
  clock.advance(NEW_IDENTITY_MS);
  log.sweep();
  expect([log.known, faults]).toEqual([0, []]);
  await hub.close();
});
