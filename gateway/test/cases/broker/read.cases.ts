import { expect, it } from 'vitest';
import type { Broker, ChannelSpec, LogPage, ReadRange } from '../../../src/broker/broker.js';
import type { LogRecord } from '../../../src/broker/record.js';
import { judge } from '../../../src/broker/resume.js';
import {
  collect,
  delay,
  durableChannel,
  json,
  numbered,
  offsets,
  positionOf,
  publishOne,
  range,
  readAll,
  turn,
} from '../../support/broker-kit.js';
import { selectPage } from '../../support/select-page.js';
import type { BrokerPair } from './pair.js';

export function readCases(brokers: () => BrokerPair): void {
  /** 40 entries of different sizes, in four steps of time. */
  async function makeLog(broker: Broker): Promise<{ channel: ChannelSpec; view: LogPage; epoch: number }> {
    const channel = durableChannel();
    for (let step = 0; step < 4; step++) {
      if (step > 0) await delay(5);
      await broker.publish(
        channel,
        range(1, 10).map((i) => json('x'.repeat(i * 10 * step))),
      );
    }
    const view = await readAll(broker, channel);
    expect(view.entries.length).toBe(40);
    return { channel, view, epoch: view.head.epoch };
  }

  /** The page must be right for its range, but may be shorter than asked if it says `more`. */
  function expectPage(page: LogPage, view: LogPage, asked: ReadRange): void {
    const backwards = 'before' in asked || 'last' in asked;
    const wanted = selectPage(view, { ...asked, limit: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY });
    const count = page.entries.length;
    const expected = count === 0 ? [] : backwards ? wanted.entries.slice(-count) : wanted.entries.slice(0, count);
    expect(offsets(page.entries)).toEqual(offsets(expected));
    expect(count).toBeLessThanOrEqual(asked.limit);
    if (asked.limit > 0) {
      expect(count > 0).toBe(wanted.entries.length > 0);
      expect(page.more).toBe(count < wanted.entries.length);
    }
    const bytes = page.entries.reduce((sum, { size }) => sum + size, 0);
    if (asked.maxBytes !== undefined && count > 1) expect(bytes).toBeLessThanOrEqual(asked.maxBytes);
    expect([page.head, page.lineage]).toEqual([view.head, view.lineage]);
  }

  it('gives a channel that was never published to an identity that stays', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const [one, two] = await Promise.all([
      broker.read(channel, { last: true, limit: 10 }),
      second.read(channel, { after: { epoch: 0, offset: 0 }, limit: 0 }),
    ]);
    const { epoch } = one.head;
    expect(epoch).toBeGreaterThan(0);
    for (const page of [one, two, await broker.read(channel, { sinceTime: 0, limit: 5 })]) {
      expect(page).toEqual({
        head: { epoch, offset: 0 },
        lineage: [{ epoch, baseOffset: 0 }],
        entries: [],
        more: false,
      });
    }
    expect(await publishOne(second, channel, json(1))).toEqual({ epoch, offset: 1 });
    const { lineage, head } = await broker.read(channel, { last: true, limit: 0 });
    expect([lineage, head]).toEqual([[{ epoch, baseOffset: 0 }], { epoch, offset: 1 }]);
  });

  it('knows offset 0 of a channel that was published to before anybody read it', async () => {
    const { broker } = brokers();
    const channel = durableChannel();
    const { epoch } = await publishOne(broker, channel, json(1));
    const page = await broker.read(channel, { after: { epoch, offset: 0 }, limit: 10 });
    expect(page.lineage).toEqual([{ epoch, baseOffset: 0 }]);
    expect(judge({ epoch, offset: 0 }, page)).toEqual({ ok: true, at: { epoch, offset: 0 } });
    expect(offsets(page.entries)).toEqual([1]);
  });

  it('reads after a position', async () => {
    const { broker, second } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    for (const offset of [0, 1, 20, 38, 39, 40, 41, 1000]) {
      for (const limit of [1, 2, 7, 40, 100]) {
        const asked: ReadRange = { after: { epoch, offset }, limit };
        expectPage(await second.read(channel, asked), view, asked);
      }
    }
  });

  it('reads before a position', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    for (const offset of [0, 1, 2, 20, 40, 41, 1000]) {
      for (const limit of [1, 2, 7, 40, 100]) {
        const asked: ReadRange = { before: { epoch, offset }, limit };
        expectPage(await broker.read(channel, asked), view, asked);
      }
    }
  });

  it('goes by epoch first where the position is of another one', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    for (const other of [0, 1, epoch - 1, epoch + 1, Number.MAX_SAFE_INTEGER]) {
      for (const position of [
        { epoch: other, offset: 0 },
        { epoch: other, offset: 20 },
      ]) {
        const after: ReadRange = { after: position, limit: 100 };
        const before: ReadRange = { before: position, limit: 100 };
        expectPage(await broker.read(channel, after), view, after);
        expectPage(await broker.read(channel, before), view, before);
      }
    }
  });

  it('reads the last entries', async () => {
    const { broker } = brokers();
    const { channel, view } = await makeLog(broker);
    for (const limit of [1, 2, 39, 40, 41, 1000]) {
      const asked: ReadRange = { last: true, limit };
      expectPage(await broker.read(channel, asked), view, asked);
    }
  });

  it('reads from a time on', async () => {
    const { broker } = brokers();
    const { channel, view } = await makeLog(broker);
    const times = [...new Set(view.entries.map(({ time }) => time))];
    expect(times.length).toBeGreaterThanOrEqual(4);
    for (const time of [0, ...times, ...times.map((one) => one + 1), Date.now() + 60_000]) {
      for (const limit of [1, 15, 100]) {
        const asked: ReadRange = { sinceTime: time, limit };
        expectPage(await broker.read(channel, asked), view, asked);
      }
    }
  });

  it('keeps pages within maxBytes, but gives at least one entry', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    const total = view.entries.reduce((sum, { size }) => sum + size, 0);
    for (const maxBytes of [1, 100, 500, 2000, total - 1, total, total * 2]) {
      const ranges: ReadRange[] = [
        { after: { epoch, offset: 5 }, limit: 100, maxBytes },
        { before: { epoch, offset: 36 }, limit: 100, maxBytes },
        { last: true, limit: 100, maxBytes },
        { sinceTime: 0, limit: 100, maxBytes },
        { after: { epoch, offset: 40 }, limit: 100, maxBytes },
      ];
      for (const asked of ranges) expectPage(await broker.read(channel, asked), view, asked);
    }
  });

  it('tells head and lineage alone for limit 0', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    const ranges: ReadRange[] = [
      { last: true, limit: 0 },
      { after: { epoch, offset: 3 }, limit: 0 },
      { before: { epoch, offset: 3 }, limit: 0 },
      { sinceTime: 0, limit: 0 },
    ];
    for (const asked of ranges) expectPage(await broker.read(channel, asked), view, asked);
  });

  it('answers a confirmed read too', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    const asked: ReadRange = { after: { epoch, offset: 30 }, limit: 5, confirmed: true };
    expectPage(await broker.read(channel, asked), view, asked);
  });

  it('walks a log page by page in both directions', async () => {
    const { broker } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    const forwards: LogRecord[] = [];
    for (let more = true, after = { epoch, offset: 0 }; more; ) {
      const page = await broker.read(channel, { after, limit: 7, maxBytes: 1500 });
      forwards.push(...page.entries);
      more = page.more;
      after = page.entries.at(-1) ?? after;
    }
    expect(offsets(forwards)).toEqual(offsets(view.entries));
    const backwards: LogRecord[] = [];
    for (let more = true, before = { epoch, offset: 41 }; more; ) {
      const page = await broker.read(channel, { before, limit: 7, maxBytes: 1500 });
      backwards.unshift(...page.entries);
      more = page.more;
      before = page.entries[0] ?? before;
    }
    expect(offsets(backwards)).toEqual(offsets(view.entries));
  });

  it('answers 100 reads at a time', async () => {
    const { broker, second } = brokers();
    const { channel, view, epoch } = await makeLog(broker);
    await Promise.all(
      range(1, 100).map(async (n) => {
        const asked: ReadRange = { after: { epoch, offset: n % 40 }, limit: 10 };
        expectPage(await (n % 2 ? broker : second).read(channel, asked), view, asked);
      }),
    );
  });

  it('sees every publish that was answered before, on each gateway, with a head that fits its entries', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    for (let i = 0; i < 20; i++) {
      const outcomes = await (i % 2 ? broker : second).publish(channel, numbered(3));
      const page = await (i % 2 ? second : broker).read(channel, { last: true, limit: 5 });
      expect(page.head).toEqual(positionOf(outcomes.at(-1)));
      expect(page.entries.at(-1)?.offset).toBe(page.head.offset);
    }
  });

  it('never tells a head older than what was pushed before it was asked', async () => {
    const { broker, second } = brokers();
    const channel = durableChannel();
    const subscriber = await collect(broker, channel);
    const publishing = (async () => {
      for (let i = 0; i < 60; i++) {
        await second.publish(channel, numbered(2));
        await turn();
      }
    })();
    while (subscriber.records.length < 120) {
      const pushed = subscriber.records.at(-1)?.offset ?? 0;
      const { head, entries } = await broker.read(channel, { last: true, limit: 1 });
      expect(head.offset).toBeGreaterThanOrEqual(pushed);
      expect(entries.at(-1)?.offset ?? 0).toBe(head.offset);
      await turn();
    }
    await publishing;
  });
}
