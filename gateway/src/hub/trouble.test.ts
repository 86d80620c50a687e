/** A hub whose log misbehaves in ways that no engine should, or only for a moment. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CHANNEL, createHub, join } from '../../test/support/hub-kit.js';
import { openChannel } from '../../test/support/plain-subscriber.js';
import type { ChannelListener, LogPage } from '../broker/broker.js';

describe('a hub', () => {
  it('goes on auditing and repairing while one channel cannot be repaired', async () => {
    const listeners = new Map<string, ChannelListener>();
    const { hub, stats, publish, sent } = createHub(
      (memory) => ({
        subscribe(channel, listener) {
          listeners.set(channel.name, listener);
          return memory.subscribe(channel, listener);
        },
        read(channel, range) {
          if (channel.name === 'broken' && 'after' in range) return Promise.reject(new Error('WRONGTYPE'));
          return memory.read(channel, range);
        },
      }),
      { auditMs: 20, repairConcurrency: 1 },
    );
    await join(hub, openChannel('broken'));
    await join(hub);
    listeners.get('broken')?.onInterrupted();
    listeners.get('broken')?.onResumed();
    await expect.poll(() => stats.audits).toBeGreaterThan(6);
    listeners.get('a')?.onInterrupted();
    await publish('1');
    listeners.get('a')?.onResumed();
    await expect.poll(() => sent).toHaveLength(1);
  });

  it('repairs what was missed while it read the log for the first time', async () => {
    let listener: ChannelListener | undefined;
    const { hub, publish, sent } = createHub((memory) => ({
      subscribe(channel, told) {
        listener = told;
        // Nothing is pushed: all comes by repair.
        return memory.subscribe(channel, { onRecord() {}, onInterrupted() {}, onResumed() {}, onDoubt() {} });
      },
      async read(channel, range) {
        const page = await memory.read(channel, range);
        if ('last' in range) {
          listener?.onInterrupted();
          await publish('1');
          listener?.onResumed();
        }
        return page;
      },
    }));
    await join(hub);
    await expect.poll(() => sent).toHaveLength(1);
  });

  it('repairs what was published before an interrupted subscription was acknowledged again', async () => {
    let listener: ChannelListener | undefined;
    const { hub, publish, sent } = createHub((memory) => ({
      async subscribe(channel, told) {
        listener = told;
        const nothing = { onRecord() {}, onInterrupted() {}, onResumed() {}, onDoubt() {} };
        const subscription = await memory.subscribe(channel, nothing);
        told.onInterrupted(); // its connection is lost before the log was read for the first time
        return subscription;
      },
      async read(channel, range) {
        const page = await memory.read(channel, range);
        if ('last' in range) {
          await publish('1');
          listener?.onResumed(); // acknowledged in the chunk in which the older head arrives
        }
        return page;
      },
    }));
    await join(hub);
    await expect.poll(() => sent).toHaveLength(1);
  });

  it('looks once, not at every join, for a publish that was answered and is lost', async () => {
    const { hub, stats, publish } = createHub((memory) => ({
      async publish(channel, messages) {
        const { head } = await memory.read(channel, { last: true, limit: 0 });
        return messages.map(() => ({ position: { ...head, offset: head.offset + 1 } }));
      },
    }));
    await publish('1');
    await join(hub);
    await hub.publish(CHANNEL, [{ payload: { format: 'json', bytes: Buffer.from('2') } }]);
    expect((await join(hub)).joined?.position?.offset).toBe(1);
    expect(stats.repairs).toBe(1);
    expect((await join(hub)).joined?.position?.offset).toBe(1);
    expect(stats.repairs).toBe(1);
  });

  it('does not spin where the log is behind what a client has seen of it', async () => {
    let reads = 0;
    let old: LogPage | undefined;
    const { hub, publish, sent } = createHub(
      (memory) => ({
        async read(channel, range) {
          if (!('after' in range)) return memory.read(channel, range);
          reads++;
          return old && !range.confirmed ? { ...old, entries: [], more: false } : memory.read(channel, range);
        },
      }),
      { tailEntries: 1 },
    );
    await publish('1');
    await publish('2');
    const { joined } = await join(hub);
    old = { head: joined?.position as LogPage['head'], lineage: [], entries: [], more: false };
    const { epoch } = old.head;
    old = { ...old, lineage: [{ epoch, baseOffset: 0 }] };
    for (let n = 3; n < 8; n++) await publish(String(n));
    await expect.poll(() => sent).toHaveLength(5);
    const resumed = join(hub, CHANNEL, { since: { epoch: String(epoch), offset: 2 } });
    await delay(300);
    expect(reads).toBeLessThan(20);
    old = undefined;
    expect((await resumed).replayed).toHaveLength(5);
  });

  it('tells subscribers of a message that cannot be read, and goes on', async () => {
    const { hub, publish, sent } = createHub();
    const live = openChannel('live', false);
    const { joined } = await join(hub);
    await join(hub, live);
    await publish('1');
    await publish('\u00c1', CHANNEL, 'msgpack');
    await publish('3');
    await publish('\u00c1', live, 'msgpack');
    await expect.poll(() => sent).toHaveLength(4);
    const frames = sent.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(frames.filter(({ channel }) => channel === 'a')).toMatchObject([
      { type: 'message', offset: 1 },
      { type: 'reset', reason: 'expired', offset: 2 },
      { type: 'message', offset: 3 },
    ]);
    expect(frames.find(({ type }) => type === 'error')).toMatchObject({ code: 'internal', retryable: false });
    const start = { since: { epoch: String(joined?.position?.epoch), offset: 0 } };
    const { replayed } = await join(hub, CHANNEL, start);
    expect(replayed.map((text) => JSON.parse(text).type)).toEqual(['message', 'reset', 'message']);
  });

  it('holds little of what is published faster than it can be sent, and sends it all, in order', async () => {
    const { hub, publish, sent, stats } = createHub(undefined, {
      queueBytes: 1_000,
      allQueuesBytes: 1_000,
      pageEntries: 5,
    });
    await join(hub);
    const most = { bytes: 0 };
    for (let n = 0; n < 90; n++) {
      await publish(String(n));
      most.bytes = Math.max(most.bytes, hub.scheduler.bytes);
    }
    await expect.poll(() => sent).toHaveLength(90);
    expect(sent.map((text) => JSON.parse(text).data)).toEqual(Array.from({ length: 90 }, (_, n) => n));
    expect(stats.queueOverflows).toBeGreaterThan(0);
    expect(most.bytes).toBeLessThan(1_100);
    expect(hub.scheduler.bytes).toBe(0);
  });

  it('sends all of a burst that it was pushed, though the log keeps less of it and one queue is over its share', async () => {
    const short = { ...openChannel('short'), historySize: 3 };
    const { hub, memory, sent, stats } = createHub(undefined, { queueBytes: 1_000, allQueuesBytes: 10_000 });
    await join(hub, short);
    const bytes = Buffer.from(JSON.stringify('x'.repeat(40)));
    await memory.publish(
      short,
      Array.from({ length: 60 }, () => ({ payload: { format: 'json' as const, bytes } })),
    );
    await expect.poll(() => sent).toHaveLength(60);
    expect(sent.map((text) => JSON.parse(text).type)).toEqual(Array(60).fill('message'));
    expect(stats.queueOverflows).toBe(0);
  });

  it('drops what a live channel is published faster than it can be sent, and counts it', async () => {
    const live = openChannel('live', false);
    const { hub, publish, sent, stats } = createHub(undefined, { queueBytes: 300, allQueuesBytes: 300 });
    await join(hub, live);
    for (let n = 0; n < 50; n++) await publish(String(n), live);
    await expect.poll(() => sent.length).toBeGreaterThan(5);
    expect(sent.length + stats.liveDropped).toBe(50);
  });

  it('lets publishers wait while too much waits to be sent', async () => {
    const { hub, publish } = createHub(undefined, { allQueuesBytes: 500 });
    await join(hub);
    expect(hub.scheduler.room()).toBeUndefined();
    for (let n = 0; n < 20; n++) await publish(String(n));
    await hub.scheduler.room();
    expect(hub.scheduler.bytes).toBeLessThanOrEqual(250);
  });

  it('sends a quiet channel its message though many others have much to send', async () => {
    const { hub, publish, sent } = createHub(undefined, { queueBytes: 1024 * 1024 });
    const busy = Array.from({ length: 100 }, (_, n) => openChannel(`busy-${n}`, false));
    const quiet = openChannel('quiet', false);
    for (const channel of [...busy, quiet]) await join(hub, channel);
    for (const channel of busy) for (let n = 0; n < 100; n++) void publish(String(n), channel);
    void publish('1', quiet);
    await expect.poll(() => sent.length).toBe(10_001);
    // Every other channel has sent one array by then.
    expect(sent.findIndex((text) => text.includes('"quiet"'))).toBeLessThan(1_000);
  });

  it('sends a large frame though another channel fills a part of every turn', async () => {
    const { hub, publish, sent } = createHub(undefined, { queueBytes: 1024 * 1024 });
    const [busy, large] = [openChannel('busy', false), openChannel('large', false)];
    for (const channel of [busy, large]) await join(hub, channel);
    for (let n = 0; n < 1_000; n++) void publish(JSON.stringify('x'.repeat(450)), busy);
    void publish(JSON.stringify('y'.repeat(9_000)), large);
    await expect.poll(() => sent.length).toBe(1_001);
    expect(sent.findIndex((text) => text.includes('"large"'))).toBeLessThan(100);
  });
});
