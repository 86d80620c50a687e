import { expect, it } from 'vitest';
import { judge } from '../../../src/broker/resume.js';
import {
  delay,
  durableChannel,
  eventually,
  json,
  numbered,
  offsets,
  payloadValue,
  positionOf,
  publishOne,
  range,
  readAll,
} from '../../support/broker-kit.js';
import type { BrokerPair } from './pair.js';

/** Trimming is approximate: Redis drops whole nodes of a stream, 100 entries each. */
const SLACK = 200;

export function retentionCases(brokers: () => BrokerPair): void {
  it.each([
    ['one by one', 1],
    ['in batches', 100],
  ])('keeps at least historySize entries, and not many more, published %s', async (_name, batch) => {
    const { broker, second } = brokers();
    const historySize = 10;
    const channel = durableChannel({ historySize });
    for (let i = 1; i <= 600; i += batch) await broker.publish(channel, numbered(batch, i));
    const { entries, head } = await readAll(second, channel);
    expect(head.offset).toBe(600);
    expect(entries.length).toBeGreaterThanOrEqual(historySize);
    expect(entries.length).toBeLessThanOrEqual(2 * historySize + SLACK);
    expect(offsets(entries)).toEqual(range(601 - entries.length, 600));
    expect(entries.map(payloadValue)).toEqual(offsets(entries));
  });

  it('loses nothing that it must keep while it trims', async () => {
    const { broker } = brokers();
    const channel = durableChannel({ historySize: 50 });
    for (let i = 1; i <= 300; i++) {
      const { epoch, offset } = await publishOne(broker, channel, json(i));
      if (i % 20 > 0) continue;
      const after = { epoch, offset: Math.max(0, offset - 50) };
      const page = await broker.read(channel, { after, limit: 50 });
      expect(judge(after, page)).toEqual({ ok: true, at: after });
      expect(page.entries.length).toBe(offset - after.offset);
    }
  });

  it('shows a position whose next entries were trimmed as expired', async () => {
    const { broker } = brokers();
    const channel = durableChannel({ historySize: 10 });
    const { epoch } = await publishOne(broker, channel, json(0));
    await broker.publish(channel, numbered(500));
    const after = { epoch, offset: 1 };
    const page = await broker.read(channel, { after, limit: 10 });
    const oldest = page.entries[0]?.offset ?? 0;
    expect(oldest).toBeGreaterThan(2);
    expect(judge(after, page)).toEqual({ ok: false, reason: 'expired', at: { epoch, offset: oldest - 1 } });
  });

  it('ends a log to which nobody published for historyTtlMs; positions keep their meaning', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel({ historyTtlMs: 800 });
    const outcomes = await broker.publish(channel, numbered(5));
    const head = positionOf(outcomes.at(-1));
    const { lineage } = await broker.read(channel, { last: true, limit: 0 });
    await eventually(
      async () => (await second.read(channel, { last: true, limit: 1 })).entries.length === 0,
      'log ends',
    );
    for (const from of [broker, second]) {
      const page = await from.read(channel, { after: head, limit: 10 });
      expect(page).toEqual({ head, lineage, entries: [], more: false });
      expect(judge(head, page)).toEqual({ ok: true, at: head });
      const behind = { epoch: head.epoch, offset: 3 };
      const rest = await from.read(channel, { after: behind, limit: 10 });
      expect(judge(behind, rest)).toEqual({ ok: false, reason: 'expired', at: head });
    }
    expect(await publishOne(broker, channel, json(6))).toEqual({ epoch: head.epoch, offset: 6 });
    const { entries } = await broker.read(channel, { last: true, limit: 10 });
    expect(entries.map(payloadValue)).toEqual([6]);
  });

  it('keeps a log while somebody publishes to it', async () => {
    const { broker } = brokers();
    const channel = durableChannel({ historyTtlMs: 1500 });
    for (let i = 1; i <= 7; i++) {
      if (i > 1) await delay(300);
      await publishOne(broker, channel, json(i));
    }
    expect((await readAll(broker, channel)).entries.map(payloadValue)).toEqual(range(1, 7));
  });
}
