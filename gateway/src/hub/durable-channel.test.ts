/** The step rule and the repair of a channel, by pushes that come as a test says. */
import { expect, it } from 'vitest';
import { CHANNEL, createHub, join } from '../../test/support/hub-kit.js';
import { plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { ChannelListener, LogPage } from '../broker/broker.js';
import type { LogRecord } from '../broker/record.js';
import { FanfareError } from '../errors.js';
import type { HubOptions } from './hub-options.js';

/** A hub that is pushed nothing by itself. Reads of the log can be held back: they show what was there when they began. */
async function setUp(options: Partial<HubOptions> = {}) {
  let listener: ChannelListener | undefined;
  let distrusts = 0;
  let release: (() => void) | undefined;
  const state = { isHeld: false, failures: 0 };
  const kit = createHub(
    (memory) => ({
      async subscribe(_, real) {
        listener = real;
        return { shard: 's', unsubscribe: async () => {}, distrust: () => void distrusts++ };
      },
      async read(channel, range) {
        if (state.failures-- > 0) throw new FanfareError('unavailable', 'nobody answers');
        const page: LogPage = await memory.read(channel, range);
        // A look at the head alone is followed by the page.
        if (state.isHeld && range.limit > 0) {
          state.isHeld = false;
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }
        return page;
      },
    }),
    options,
  );
  await join(kit.hub);
  const push = async (...offsets: number[]) => {
    const { entries } = await kit.memory.read(CHANNEL, { last: true, limit: 1_000 });
    for (const offset of offsets) listener?.onRecord(entries.find((one) => one.offset === offset) as LogRecord);
  };
  const publish = async (count: number) => {
    for (let n = 0; n < count; n++) await kit.publish('1');
  };
  const offsets = () => kit.sent.map((text) => (JSON.parse(text) as { offset: number }).offset);
  /** Whether a client that resumes is answered before one that wants nothing of the past. */
  const resume = async (since: { epoch: string; offset: number }) => {
    let isAnswered = false;
    const resumed = join(kit.hub, CHANNEL, { since }).finally(() => {
      isAnswered = true;
    });
    // Who wants nothing of the past is told of what was lost, if it was.
    await join(kit.hub);
    return { isAnswered, resumed };
  };
  return {
    ...kit,
    push,
    publish,
    offsets,
    resume,
    listener: () => listener as ChannelListener,
    distrusts: () => distrusts,
    /** The next page takes its time. */
    hold: () => {
      state.isHeld = true;
    },
    /** So many reads fail from now on. */
    fail: (reads: number) => {
      state.failures = reads;
    },
    isHolding: () => release !== undefined,
    release: () => release?.(),
  };
}

it('a push that follows is sent, one that was sent already is not, and costs nothing', async () => {
  const { publish, push, offsets, stats } = await setUp();
  await publish(2);
  const reads = stats.logReads;
  await push(1, 1, 2, 1);
  await expect.poll(offsets).toEqual([1, 2]);
  expect([stats.pushGaps, stats.logReads]).toEqual([0, reads]);
});

it('a gap is closed from the log, at once', async () => {
  const { publish, push, offsets, stats } = await setUp();
  await publish(4);
  await push(1, 4);
  await expect.poll(offsets).toEqual([1, 2, 3, 4]);
  expect(stats.pushGaps).toBe(1);
});

it('a repair that failed is tried again until the log can be read', async () => {
  const { publish, push, offsets, fail } = await setUp();
  await publish(3);
  fail(3);
  await push(1, 3);
  await expect.poll(offsets).toEqual([1, 2, 3]);
});

it('what is pushed while the log is read follows it, also where there was too much of it to hold', async () => {
  for (const bufferRecords of [100, 2]) {
    const { publish, push, offsets, hold, isHolding, release } = await setUp({ bufferRecords });
    await publish(3);
    hold();
    await push(1, 3);
    await expect.poll(isHolding).toBe(true);
    await publish(5);
    await push(4, 5, 6, 7, 8);
    release();
    await expect.poll(offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  }
});

it('an interruption during a repair is repaired behind it', async () => {
  const { publish, push, offsets, hold, isHolding, release, listener } = await setUp();
  await publish(3);
  hold();
  await push(1, 3);
  await expect.poll(isHolding).toBe(true);
  listener().onInterrupted();
  // It is in the log, and pushed to nobody.
  await publish(1);
  listener().onResumed();
  release();
  await expect.poll(offsets).toEqual([1, 2, 3, 4]);
});

it('a subscription that pushes what no log knows is not trusted, after a while', async () => {
  const { publish, push, offsets, listener, distrusts, memory } = await setUp({ distrustMs: 60 });
  await publish(1);
  await push(1);
  const [record] = (await memory.read(CHANNEL, { last: true, limit: 1 })).entries;
  listener().onRecord({ ...(record as LogRecord), offset: 7 });
  expect(distrusts()).toBe(0);
  await expect.poll(distrusts).toBe(1);
  expect(offsets()).toEqual([1]);
});

it('a client that has left leaves once: the channel lives for the others', async () => {
  const { hub } = await setUp({ lingerMs: 0 });
  const gone = hub.enter(CHANNEL, plainSubscriber());
  gone.leave();
  gone.leave();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(hub.size).toBe(1);
});

it('who resumes while the subscription is interrupted is answered once the log was asked', async () => {
  const { hub, publish, push, offsets, listener, resume } = await setUp();
  await publish(2);
  await push(1, 2);
  await expect.poll(offsets).toEqual([1, 2]);
  const since = { epoch: String((await join(hub)).joined?.position?.epoch), offset: 1 };
  listener().onInterrupted();
  const { isAnswered, resumed } = await resume(since);
  expect(isAnswered).toBe(false);
  listener().onResumed();
  expect((await resumed).joined).toMatchObject({ recovered: true, position: { offset: 1 } });
});

it('who resumes while the subscription is interrupted once more, before the log was asked, is answered behind that', async () => {
  // A repair waits until all that waits was sent.
  const { hub, publish, push, offsets, listener, resume } = await setUp({ queueBytes: 0 });
  await publish(1);
  const since = { epoch: String((await join(hub)).joined?.position?.epoch), offset: 1 };
  await push(1);
  listener().onInterrupted();
  listener().onResumed();
  listener().onInterrupted();
  await expect.poll(offsets).toEqual([1]);
  const { isAnswered, resumed } = await resume(since);
  expect(isAnswered).toBe(false);
  listener().onResumed();
  expect((await resumed).joined).toMatchObject({ recovered: true, position: { offset: 1 } });
});

it('who resumes while the log is read because a push is missing is answered at once', async () => {
  const { hub, publish, push, offsets, hold, isHolding, release } = await setUp();
  await publish(3);
  await push(1);
  await expect.poll(offsets).toEqual([1]);
  const { joined } = await join(hub);
  hold();
  await push(3);
  await expect.poll(isHolding).toBe(true);
  const since = { epoch: String(joined?.position?.epoch), offset: 1 };
  expect((await join(hub, CHANNEL, { since })).joined).toMatchObject({ recovered: true });
  release();
  await expect.poll(offsets).toEqual([1, 2, 3]);
});
