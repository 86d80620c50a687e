import { describe, expect, it } from 'vitest';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { Broker, ChannelListener } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import type { LogRecord } from '../broker/record.js';
import { systemClock } from '../clock.js';
import { createStats } from '../stats.js';
import { Hub } from './hub.js';

const CHANNEL = openChannel('a');

/**
 * A hub with one subscriber on one channel. While `pushes` is `behind answers` a push arrives right after the
 * answer of the next read, as both do in one chunk of bytes; while it is `lost`, never.
 */
async function setUp(auditMs: number) {
  const memory = createMemoryBroker({ clock: systemClock });
  const stats = createStats();
  const sent: number[] = [];
  let pushes: 'prompt' | 'behind answers' | 'lost' = 'prompt';
  let listener: ChannelListener | undefined;
  let late: LogRecord[] = [];
  const publish = async () => {
    const payload = { format: 'json', bytes: Buffer.from('1') } as const;
    await memory.publish(CHANNEL, [{ payload }]);
  };
  const broker: Broker = {
    name: 'memory',
    idempotencyMs: memory.idempotencyMs,
    start: () => memory.start(),
    close: () => memory.close(),
    health: () => memory.health(),
    publish: (...publication) => memory.publish(...publication),
    subscribe(channel, told) {
      listener = told;
      const onRecord = (record: LogRecord) => {
        if (pushes === 'prompt') told.onRecord(record);
        if (pushes === 'behind answers') late.push(record);
      };
      return memory.subscribe(channel, { ...told, onRecord, onInterrupted() {}, onResumed() {}, onDoubt() {} });
    },
    async read(channel, range) {
      if (pushes === 'behind answers') await publish();
      const page = await memory.read(channel, range);
      queueMicrotask(() =>
        process.nextTick(() => {
          for (const record of late) listener?.onRecord(record);
          late = [];
        }),
      );
      return page;
    },
  };
  const transport = { publish: () => sent.push(1) };
  const options = { auditMs };
  const hub = new Hub({ broker, transport, clock: systemClock, stats, onFault: () => {}, options });
  const membership = hub.enter(CHANNEL, plainSubscriber());
  await membership.channel.join(membership, undefined, () => {});
  return {
    stats,
    sent,
    publish,
    set pushes(how: typeof pushes) {
      pushes = how;
    },
    doubt: () => listener?.onDoubt(),
    audited: () => expect.poll(() => stats.audits, { interval: 5 }).toBeGreaterThanOrEqual(2),
    close: () => hub.close(),
  };
}

describe('the audit', () => {
  it('finds nothing where a push arrives right behind the answer', async () => {
    const world = await setUp(20);
    world.pushes = 'behind answers';
    await world.audited();
    expect(world.stats).toMatchObject({ auditFindings: 0, repairs: 0 });
    await expect.poll(() => world.sent.length).toBeGreaterThan(0);
    await world.close();
  });

  it('finds, counts and repairs what was never pushed', async () => {
    const world = await setUp(20);
    world.pushes = 'lost';
    await world.publish();
    await world.audited();
    expect(world.stats.auditFindings).toBe(1);
    await expect.poll(() => world.sent.length).toBe(1);
    await world.close();
  });

  it('counts nothing where the engine had doubts: it was foreseen', async () => {
    const world = await setUp(60_000);
    world.pushes = 'lost';
    await world.publish();
    world.doubt();
    await expect.poll(() => world.sent.length).toBe(1);
    expect(world.stats).toMatchObject({ audits: 0, auditFindings: 0, repairs: 1 });
    await world.close();
  });
});
