import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { openChannel } from '../../test/support/plain-subscriber.js';
import type { LogPage, ReadRange } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { createStats } from '../stats.js';
import { LogReader } from './log-reader.js';

const at = (offset: number, epoch = 1): LogPosition => ({ epoch, offset });

/** A log of 100 entries of one epoch, whose reads are answered when told to. */
function setUp(pageEntries = 10) {
  const reads: { range: ReadRange; answer: () => void; fail: (error: Error) => void }[] = [];
  const pageAfter = ({ offset }: LogPosition): LogPage => {
    const entries: LogRecord[] = [];
    for (let n = offset + 1; n <= Math.min(100, offset + pageEntries); n++) entries.push(at(n) as LogRecord);
    const lineage = [{ epoch: 1, baseOffset: 0 }];
    return { head: at(100), lineage, entries, more: offset + pageEntries < 100 };
  };
  const broker = {
    read: (_: unknown, range: ReadRange) =>
      new Promise<LogPage>((resolve, reject) => {
        const { after } = range as { after: LogPosition };
        reads.push({ range, answer: () => resolve(pageAfter(after)), fail: reject });
      }),
  };
  const clock = new ManualClock();
  const options = { pageEntries, pageBytes: 1_000 };
  const reader = new LogReader({ broker: broker as never, options, stats: createStats(), clock }, openChannel('a'));
  return { reader, reads, clock };
}

/** All microtasks that are due. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const firstOf = (page: LogPage) => page.entries[0]?.offset;

describe('a log reader', () => {
  it('answers all who wait with one read, from the earliest of them', async () => {
    const { reader, reads } = setUp();
    const pages = Promise.all([reader.page(at(7)), reader.page(at(3)), reader.page(at(12))]);
    await turn();
    expect(reads.map(({ range }) => range)).toMatchObject([{ after: at(3), limit: 10, maxBytes: 1_000 }]);
    reads[0]?.answer();
    expect((await pages).map(firstOf)).toEqual([4, 4, 4]);
  });

  it('never answers with a read that began before the request', async () => {
    const { reader, reads } = setUp();
    void reader.page(at(0));
    await turn();
    let isAnswered = false;
    const late = reader.page(at(0)).then(() => {
      isAnswered = true;
    });
    reads[0]?.answer();
    await turn();
    expect([isAnswered, reads.length]).toEqual([false, 2]);
    reads[1]?.answer();
    await late;
  });

  it('reads again for those whom the page does not reach', async () => {
    const { reader, reads } = setUp();
    const near = reader.page(at(0));
    const far = reader.page(at(50));
    await turn();
    reads[0]?.answer();
    expect(firstOf(await near)).toBe(1);
    await turn();
    expect(reads[1]?.range).toMatchObject({ after: at(50) });
    reads[1]?.answer();
    expect(firstOf(await far)).toBe(51);
  });

  it('answers who stands in an epoch that the log does not know, wherever the page ends', async () => {
    const { reader, reads } = setUp();
    const unknown = reader.page(at(99, 2));
    void reader.page(at(0));
    await turn();
    reads[0]?.answer();
    expect(firstOf(await unknown)).toBe(1);
  });

  it('fails those who asked, and reads for those who come after', async () => {
    const { reader, reads } = setUp();
    const failed = reader.page(at(0));
    await turn();
    reads[0]?.fail(new Error('gone'));
    await expect(failed).rejects.toThrow('gone');
    const next = reader.page(at(0));
    await turn();
    reads[1]?.answer();
    expect(firstOf(await next)).toBe(1);
  });

  it('lets a confirmed read hold up those alone who asked for one', async () => {
    const { reader, reads } = setUp();
    const confirmed = reader.page(at(0), true);
    const alsoConfirmed = reader.page(at(5), true);
    await turn();
    const plain = reader.page(at(0));
    await turn();
    expect(reads.map(({ range }) => 'confirmed' in range && range.confirmed)).toEqual([true, false]);
    reads[1]?.answer();
    expect(firstOf(await plain)).toBe(1);
    reads[0]?.fail(new Error('no majority'));
    await expect(confirmed).rejects.toThrow('no majority');
    await expect(alsoConfirmed).rejects.toThrow('no majority');
  });

  it('keeps a page for whoever stands on it while somebody replays, and some seconds longer', async () => {
    const { reader, reads, clock } = setUp();
    const done = reader.use();
    const page = reader.page(at(0));
    await turn();
    reads[0]?.answer();
    await page;
    expect([reader.keptPage(at(0)), reader.keptPage(at(4))]).toEqual([await page, await page]);
    // The end of it leads nowhere, and an offset alone says nothing.
    expect([reader.keptPage(at(10)), reader.keptPage(at(4, 2)), reader.keptPage(at(20))]).toEqual(Array(3));
    done();
    clock.advance(4_999);
    expect(reader.keptPage(at(4))).toBeDefined();
    clock.advance(1);
    expect(reader.keptPage(at(4))).toBeUndefined();
  });

  it('keeps a page for those of its epoch: the same offset before that is another place', async () => {
    const { reader, reads } = setUp();
    reader.use();
    const page = reader.page(at(0, 0));
    await turn();
    reads[0]?.answer();
    await page;
    expect([reader.keptPage(at(4, 0)), reader.keptPage(at(4))]).toEqual([undefined, await page]);
  });

  it('keeps none where nobody replays: a repair goes on its way once', async () => {
    const { reader, reads } = setUp();
    const page = reader.page(at(0));
    await turn();
    reads[0]?.answer();
    await page;
    expect(reader.keptPage(at(0))).toBeUndefined();
  });

  it('keeps the last few pages, as long as anybody replays', async () => {
    const { reader, reads, clock } = setUp();
    const first = reader.use();
    for (let n = 0; n < 5; n++) {
      const page = reader.page(at(10 * n));
      await turn();
      reads[n]?.answer();
      await page;
    }
    expect(reader.keptPage(at(0))).toBeUndefined();
    expect(firstOf(reader.keptPage(at(40)) as LogPage)).toBe(41);
    first();
    clock.advance(4_000);
    const second = reader.use();
    clock.advance(10_000);
    expect(reader.keptPage(at(40))).toBeDefined();
    second();
    reader.forget();
    expect(reader.keptPage(at(40))).toBeUndefined();
  });
});
