import { describe, expect, it } from 'vitest';
import { FaultyLog } from '../../test/support/faulty-broker.js';
import { namespaceSettings } from '../../test/support/namespace-settings.js';
import type { ChannelSpec, ReadRange } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { systemClock } from '../clock.js';
import type { ChannelPolicy } from '../namespaces.js';
import { type HistoryPage, Reading } from './reading.js';

const spec: ChannelPolicy = { name: 'chat:1', ...namespaceSettings({ historySize: 100 }) };

/** A channel that holds ten messages, the bytes `1` to `10`. */
async function filled(count = 10) {
  const log = new FaultyLog({ clock: systemClock });
  const broker = createMemoryBroker({ log });
  const publish = async (from: number, to: number) => {
    for (let n = from; n <= to; n++) {
      await broker.publish(spec, [{ payload: { format: 'json', bytes: Buffer.from(String(n)) } }]);
    }
  };
  await publish(1, count);
  const head = () => log.view(spec).head;
  const at = (offset: number) => ({ epoch: String(head().epoch), offset });
  return { log, broker, publish, head, at };
}

function offsets(page: HistoryPage): number[] {
  if (!page.ok) throw new Error(page.reason);
  return page.messages.map((message) => message.offset);
}

describe('history', () => {
  it('without a position is the newest messages, oldest first', async () => {
    const { broker } = await filled();
    const page = await new Reading(broker).history(spec, { limit: 3 });
    expect(offsets(page)).toEqual([8, 9, 10]);
    expect(page).toMatchObject({ more: true });
    expect(await new Reading(broker).history(spec, { limit: 10 })).toMatchObject({ more: false });
  });

  it('pages forward after a position, and backward before one', async () => {
    const { broker, at } = await filled();
    const forward = await new Reading(broker).history(spec, { after: at(6), limit: 2 });
    expect([offsets(forward), forward]).toMatchObject([[7, 8], { more: true }]);
    expect(await new Reading(broker).history(spec, { after: at(8), limit: 2 })).toMatchObject({ more: false });
    expect(offsets(await new Reading(broker).history(spec, { after: at(10), limit: 2 }))).toEqual([]);
    const backward = await new Reading(broker).history(spec, { before: at(4), limit: 2 });
    expect([offsets(backward), backward]).toMatchObject([[2, 3], { more: true }]);
    expect(await new Reading(broker).history(spec, { before: at(3), limit: 2 })).toMatchObject({ more: false });
  });

  it('is empty on a channel nobody published to', async () => {
    const { broker } = await filled(0);
    const page = await new Reading(broker).history(spec, { limit: 5 });
    expect(page).toMatchObject({ ok: true, messages: [], more: false, head: { offset: 0 } });
  });

  it('says where the log ended, so that what comes then can be followed: also where it was empty', async () => {
    const { broker, publish, head } = await filled(0);
    const reading = new Reading(broker);
    const empty = await reading.history(spec, { limit: 5 });
    if (!empty.ok) throw new Error(empty.reason);
    expect(await reading.history(spec, { limit: 5 })).toMatchObject({ head: empty.head });
    await publish(1, 3);
    const after = { epoch: String(empty.head.epoch), offset: empty.head.offset };
    const page = await reading.history(spec, { after, limit: 2 });
    expect([offsets(page), page]).toMatchObject([[1, 2], { more: true, head: head() }]);
  });

  it('asks before it gives a log an identity, and gives none where that is refused', async () => {
    const { broker, publish } = await filled(0);
    const reading = new Reading(broker);
    const onNew = () => {
      throw new Error('too many');
    };
    await expect(reading.history(spec, { limit: 5, onNew })).rejects.toThrow('too many');
    await publish(1, 1);
    expect(offsets(await reading.history(spec, { limit: 5, onNew }))).toEqual([1]);
  });

  it('is cut by bytes, with at least one message', async () => {
    const { broker, at } = await filled();
    const page = await new Reading(broker).history(spec, { after: at(0), limit: 10, maxBytes: 1 });
    expect([offsets(page), page]).toMatchObject([[1], { more: true }]);
  });

  it('goes on across a clean fork', async () => {
    const { broker, log, publish, at } = await filled();
    const old = at(9);
    log.fork(spec);
    await publish(11, 12);
    const page = await new Reading(broker).history(spec, { after: old, limit: 10 });
    expect(offsets(page)).toEqual([10, 11, 12]);
    expect(page.ok && new Set(page.messages.map((message) => message.epoch)).size).toBe(2);
    expect(offsets(await new Reading(broker).history(spec, { before: at(12), limit: 2 }))).toEqual([10, 11]);
  });

  it('before a border is the same by both of its names', async () => {
    const { broker, log, publish, at } = await filled();
    const old = at(10);
    log.fork(spec);
    await publish(11, 12);
    const renamed = at(10);
    expect(renamed.epoch).not.toBe(old.epoch);
    for (const before of [old, renamed]) {
      expect(offsets(await new Reading(broker).history(spec, { before, limit: 2 }))).toEqual([8, 9]);
      expect(offsets(await new Reading(broker).history(spec, { before, limit: 1 }))).toEqual([9]);
    }
  });

  it('says why a position cannot be used', async () => {
    const { broker, log, publish, at } = await filled();
    const saw = at(10);
    log.fork(spec, 7);
    await publish(8, 9);
    for (const start of ['after', 'before'] as const) {
      const read = (position: { epoch: string; offset: number }) =>
        new Reading(broker).history(spec, { [start]: position, limit: 5 });
      expect(await read(saw)).toEqual({ ok: false, reason: 'diverged' });
      for (const epoch of ['12345', 'x', '007', '1e3', '']) {
        expect(await read({ epoch, offset: 1 })).toEqual({ ok: false, reason: 'unrecoverable' });
      }
    }
    log.trim(spec, 5);
    expect(await new Reading(broker).history(spec, { after: { ...saw, offset: 3 }, limit: 5 })).toEqual({
      ok: false,
      reason: 'expired',
    });
    expect(await new Reading(broker).history(spec, { before: { ...saw, offset: 3 }, limit: 5 })).toEqual({
      ok: true,
      messages: [],
      more: false,
      head: log.view(spec).head,
    });
  });

  it('asks a confirmed read before it says so', async () => {
    const { broker, at } = await filled();
    const asked: (boolean | undefined)[] = [];
    const spying = {
      ...broker,
      read(channel: ChannelSpec, range: ReadRange) {
        asked.push(range.confirmed);
        return broker.read(channel, range);
      },
    };
    expect(await new Reading(spying).history(spec, { after: at(11), limit: 5 })).toMatchObject({ reason: 'diverged' });
    expect(asked).toEqual([undefined, true]);
  });
});
