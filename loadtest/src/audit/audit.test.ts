import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { settleLosses } from '../run/losses.js';
import type { Loss } from '../run/plan.js';
import { AckLog, type AckPosition } from './ack-log.js';
import { encodePayload, MIN_PAYLOAD_BYTES, StampReader } from './payload.js';
import { Ranges } from './ranges.js';
import { Receipts } from './receipts.js';

function at(epoch: string, offset: number): AckPosition {
  return { epoch, offset };
}

describe('payloads', () => {
  it('carry their stamp, at every size', () => {
    const reader = new StampReader();
    for (const size of [MIN_PAYLOAD_BYTES, 64, 512, 65_536]) {
      const text = encodePayload(7, 1_234_567, 987_654_321.4, size);
      expect(Buffer.byteLength(text)).toBe(size);
      expect(JSON.parse(text)).toHaveLength(size - 2);
      const bytes = Buffer.from(text);
      expect(reader.read(bytes, 1)).toBe(true);
      expect(reader).toMatchObject({ stream: 7, n: 1_234_567, dueUs: 987_654_321, length: size - 2 });
      expect(reader.isIntact(bytes, 1)).toBe(true);
    }
  });

  it('show every changed byte', () => {
    const reader = new StampReader();
    const bytes = Buffer.from(encodePayload(1, 2, 3, 80));
    for (let at = 1; at < 79; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(reader.read(damaged, 1) && reader.length === 78 && reader.isIntact(damaged, 1), `byte ${at}`).toBe(false);
    }
    expect(reader.read(Buffer.from('hello, this is no payload of a load test at all'), 0)).toBe(false);
  });
});

describe('ranges', () => {
  it('merge, split, and are taken from each other', () => {
    const ranges = new Ranges();
    for (const n of [5, 3, 4, 10, 11, 1]) ranges.add(n);
    expect(ranges.list).toEqual([
      [1, 2],
      [3, 6],
      [10, 12],
    ]);
    expect(ranges.remove(4)).toBe(true);
    expect(ranges.remove(4)).toBe(false);
    expect(ranges.list).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [10, 12],
    ]);
    expect([ranges.has(3), ranges.has(4), ranges.has(11), ranges.has(12)]).toEqual([true, false, true, false]);
    expect(new Ranges([[0, 12]]).without(ranges).list).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 10],
    ]);
    expect(ranges.size).toBe(5);
  });

  it('hold ten million numbers in one', () => {
    const ranges = new Ranges([[0, 10_000_000]]);
    expect(ranges.list).toHaveLength(1);
    expect(ranges.size).toBe(10_000_000);
  });
});

describe('the log of acknowledgements', () => {
  it('knows the position of each, settled in any order, over epochs and long ways', () => {
    const log = new AckLog('c', 1);
    const positions = Array.from({ length: 3_000 }, (_, n) => ({
      epoch: n < 1_000 ? 'a' : 'b',
      offset: n * 3 + (n > 2_000 ? 1e9 : 0),
    }));
    for (const _ of positions) log.next();
    const order = positions.map((_, n) => n).sort((a, b) => (a % 7) - (b % 7) || a - b);
    for (const n of order) {
      if (n === 17) log.fail(n);
      else log.acknowledge(n, positions[n]);
    }
    for (const n of [0, 1, 16, 18, 999, 1_000, 2_000, 2_001, 2_999]) expect(log.positionOf(n)).toEqual(positions[n]);
    expect(log.positionOf(17)).toBeUndefined();
    expect(log.summary()).toMatchObject({ count: 3_000, unacknowledged: [[17, 18]], lastOffset: 2_999 * 3 + 1e9 });
  });

  it('counts what was never settled as not acknowledged', () => {
    const log = new AckLog('c', 1);
    for (let n = 0; n < 4; n++) log.next();
    log.acknowledge(3, { epoch: 'a', offset: 9 });
    log.acknowledge(0, { epoch: 'a', offset: 1 });
    expect(log.summary().unacknowledged).toEqual([[1, 3]]);
  });
});

describe('receipts', () => {
  /** Five messages of stream 0 at offsets 1 to 5; the third was not acknowledged. */
  const ack = { channel: 'c', stream: 0, count: 5, unacknowledged: [[2, 3]], lastOffset: 5, offsetSum: 12 } as const;
  const early = () => {
    const receipts = new Receipts('c', true);
    receipts.begin(0, true);
    return receipts;
  };
  const lost = (receipts: Receipts) => receipts.close(ack).lost.list;

  it('of everything acknowledged are clean, with and without what was not', () => {
    for (const skipped of [undefined, 2]) {
      const receipts = early();
      for (const n of [0, 1, 2, 3, 4]) if (n !== skipped) expect(receipts.take(0, n, n + 1)).toBeUndefined();
      expect(receipts.close(ack)).toMatchObject({ skipped: 0, isMisplaced: false });
      expect(lost(receipts)).toEqual([]);
      expect(receipts.isUpTo(ack)).toBe(true);
    }
  });

  it('show what is missing: at the beginning, in the middle, at the end, everything', () => {
    const without = (...missing: number[]) => {
      const receipts = early();
      for (const n of [0, 1, 2, 3, 4]) if (!missing.includes(n)) receipts.take(0, n, n + 1);
      return lost(receipts);
    };
    expect(without(0)).toEqual([[0, 1]]);
    expect(without(1, 2)).toEqual([[1, 2]]);
    expect(without(4)).toEqual([[4, 5]]);
    expect(without(0, 1, 2, 3, 4)).toEqual([
      [0, 2],
      [3, 5],
    ]);
  });

  it('show what came again and what came late', () => {
    const receipts = early();
    expect([0, 3, 1, 1, 4].map((n) => receipts.take(0, n, n + 1))).toEqual([
      undefined,
      undefined,
      'reordered',
      'duplicated',
      undefined,
    ]);
    expect(lost(receipts)).toEqual([]);
  });

  it('know no order of what was never acknowledged', () => {
    const receipts = early();
    for (const n of [0, 1, 3, 2, 4]) receipts.take(0, n, n + 1);
    expect(receipts.close(ack)).toMatchObject({ excused: 1 });
    expect(receipts.close({ ...ack, unacknowledged: [] })).toMatchObject({ excused: 0 });
  });

  it('tell the first that came of each epoch', () => {
    const receipts = early();
    for (const [epoch, offset] of [
      ['1', 4],
      ['1', 5],
      ['2', 6],
      ['1', 3],
      ['2', 5],
    ] as const)
      receipts.enters(epoch, offset);
    expect(receipts.epochs).toEqual([
      { epoch: '1', offset: 3 },
      { epoch: '2', offset: 5 },
    ]);
  });

  it('tell what a reset told of from what was lost in silence', () => {
    const receipts = early();
    receipts.take(0, 0, 1);
    receipts.reset('expired', at('1', 1), at('1', 3));
    receipts.take(0, 3, 4);
    expect(receipts.close(ack)).toMatchObject({ skipped: 1 });
    expect(lost(receipts)).toEqual([[4, 5]]);
  });

  it('excuse as many repetitions as a fork took back, and no more', () => {
    const receipts = early();
    for (const n of [0, 1, 2]) receipts.take(0, n, n + 1);
    receipts.reset('diverged', at('1', 3), at('2', 2));
    expect(receipts.entered).toEqual([at('2', 2)]);
    expect([2, 1].map((n) => receipts.take(0, n, 9))).toEqual([undefined, 'duplicated']);
  });

  it('owe a latecomer what follows its first, and the last at least if nothing came', () => {
    const late = new Receipts('c', true);
    late.begin(2, false);
    late.take(0, 3, 4);
    late.take(0, 4, 5);
    expect(lost(late)).toEqual([]);
    const deaf = new Receipts('c', true);
    deaf.begin(2, false);
    expect(lost(deaf)).toEqual([[4, 5]]);
  });

  it('notice that messages stand elsewhere than was acknowledged', () => {
    const whole = { ...ack, unacknowledged: [], offsetSum: 15 };
    const receipts = early();
    for (const n of [0, 1, 2, 3, 4]) receipts.take(0, n, n + 1);
    expect(receipts.close(whole).isMisplaced).toBe(false);
    expect(receipts.close({ ...whole, offsetSum: 16 }).isMisplaced).toBe(true);
  });
});

describe('what was not received', () => {
  const loss: Loss = {
    ...{ channel: 'c', stream: 0, subscriber: 's', ranges: [[0, 3]] },
    ...{ epochs: [at('3', 9)], entered: [at('2', 5)] },
  };

  /** Of three messages that were acknowledged at these positions, with a log that is served in pages of one message. */
  async function settle(positions: readonly AckPosition[], log: readonly AckPosition[] = []) {
    const server = createServer((request, response) => {
      const before = new URL(request.url ?? '', 'http://x').searchParams.get('before');
      const end = before ? log.findIndex(({ epoch, offset }) => before === `${epoch}-${offset}`) : log.length;
      response.end(JSON.stringify({ messages: log.slice(Math.max(0, end - 1), end), more: end > 1 }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const target = { urls: [], apis: [`http://127.0.0.1:${port}/`], apiKey: undefined, tokens: {} };
    return settleLosses([loss], target, async () => positions).finally(() => server.close());
  }

  it('was taken back by a failover, passed over by a reset into another epoch, or is lost', async () => {
    const { lostByLog, passedOver, offenders } = await settle([at('2', 9), at('2', 5), at('2', 6)]);
    expect([lostByLog, passedOver]).toEqual([1, 1]);
    expect(offenders).toMatchObject([{ what: 'lost', n: 2, epoch: '2', offset: 6 }]);
  });

  it('is looked for in the whole log, however short its pages are', async () => {
    const log = [at('1', 5), at('3', 6), at('3', 7), at('3', 8)];
    expect(await settle([at('2', 6), at('2', 7), at('2', 8)], log)).toMatchObject({ lostByLog: 3, offenders: [] });
  });
});
