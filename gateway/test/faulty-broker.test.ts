import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChannelSpec, LogPage, Subscription } from '../src/broker/broker.js';
import type { LogRecord } from '../src/broker/record.js';
import { judge } from '../src/broker/resume.js';
import { durableChannel, json, numbered, offsets, publishOne, range, turn } from './support/broker-kit.js';
import { FaultyBroker, FaultyLog } from './support/faulty-broker.js';
import { ManualClock } from './support/manual-clock.js';

const unavailable = { code: 'unavailable' };

/** Two brokers on one log, and what the first one's subscriber is told. */
async function setUp() {
  const log = new FaultyLog({ clock: new ManualClock() });
  const broker = new FaultyBroker(log);
  const other = new FaultyBroker(log);
  const channel = durableChannel();
  const told: (string | number)[] = [];
  const subscription = await broker.subscribe(channel, {
    onRecord: (record) => told.push(record.offset),
    onInterrupted: () => told.push('interrupted'),
    onResumed: () => told.push('resumed'),
    onDoubt: () => told.push('doubt'),
  });
  const head = () => broker.read(channel, { last: true, limit: 0 });
  return { log, broker, other, channel, told, subscription, head };
}

describe('the log that can be damaged', () => {
  it('forks without loss: the same place has two names', async () => {
    const { log, broker, other, channel, told, head } = await setUp();
    await other.publish(channel, numbered(3));
    const before = (await head()).head;
    log.fork(channel);
    const after = await head();
    expect(after.head).toEqual({ epoch: after.lineage[1]?.epoch, offset: 3 });
    expect(after.head.epoch).toBeGreaterThan(before.epoch);
    expect(judge(before, after)).toMatchObject({ ok: true });
    await broker.publish(channel, numbered(1));
    expect(told).toEqual([1, 2, 3, 4]);
  });

  it('forks with a lost suffix, and the keys in it are free again', async () => {
    const { log, broker, channel, head } = await setUp();
    const keyed = ['a', 'b', 'c'].map((key) => json(key, { key }));
    await broker.publish(channel, keyed);
    const { head: seen } = await head();
    log.fork(channel, 1);
    expect(judge(seen, await head())).toMatchObject({ ok: false, reason: 'diverged', at: { offset: 1 } });
    const outcomes = await broker.publish(channel, keyed);
    expect(outcomes).toMatchObject([{ duplicate: true }, { position: { offset: 2 } }, { position: { offset: 3 } }]);
  });

  it('is trimmed, and wiped', async () => {
    const { log, broker, channel, head } = await setUp();
    await broker.publish(channel, [...numbered(3), json(4, { key: 'k' })]);
    const { head: seen } = await head();
    log.trim(channel, 2);
    expect(offsets(log.view(channel).entries)).toEqual([3, 4]);
    log.wipe(channel);
    const wiped = await head();
    expect(wiped).toMatchObject({ head: { offset: 0 }, lineage: [{ baseOffset: 0 }], entries: [] });
    expect(judge(seen, wiped)).toMatchObject({ ok: false, reason: 'unrecoverable' });
    expect(await broker.publish(channel, [json(1, { key: 'k' })])).toMatchObject([{ position: { offset: 1 } }]);
  });
});

describe('the broker that fails on command', () => {
  it('pushes nothing while interrupted and refuses to read, but the log goes on', async () => {
    const { broker, other, channel, told, head } = await setUp();
    broker.interrupt(channel.name);
    await publishOne(other, channel, json(1));
    await expect(head()).rejects.toMatchObject(unavailable);
    await expect(broker.subscribe(channel, {} as never)).rejects.toMatchObject(unavailable);
    expect(broker.health()).toMatchObject([{ state: 'lost', detail: channel.name }]);
    broker.resume(channel.name);
    await publishOne(other, channel, json(2));
    expect(told).toEqual(['interrupted', 'resumed', 2]);
    expect((await head()).head.offset).toBe(2);
    expect(broker.health()).toMatchObject([{ state: 'ok' }]);
  });

  it('loses pushes without a word, and raises doubts', async () => {
    const { broker, other, channel, told } = await setUp();
    broker.loseNext(channel.name, 2);
    await other.publish(channel, numbered(4));
    broker.doubt(channel.name);
    expect(told).toEqual([3, 4, 'doubt']);
  });

  it('hangs on to a deposed master until it is told otherwise', async () => {
    const { log, broker, other, channel, told, head } = await setUp();
    await other.publish(channel, numbered(3));
    const before = (await head()).head;
    broker.depose(channel);
    log.fork(channel, 2);
    await other.publish(channel, numbered(3));
    expect((await head()).head).toEqual(before);
    const page = await broker.read(channel, { after: { epoch: before.epoch, offset: 1 }, limit: 5 });
    expect(offsets(page.entries)).toEqual([2, 3]);
    await expect(broker.read(channel, { last: true, limit: 1, confirmed: true })).rejects.toMatchObject(unavailable);
    expect((await other.read(channel, { last: true, limit: 0 })).head.offset).toBe(5);
    broker.interrupt(channel.name);
    broker.resume(channel.name);
    expect((await head()).head.offset).toBe(5);
    expect(told).toEqual([1, 2, 3, 'interrupted', 'resumed']);
  });

  it('interrupts and resumes when distrusted', async () => {
    const { subscription, told } = await setUp();
    subscription.distrust();
    expect(told).toEqual(['interrupted', 'resumed']);
  });

  it('loses what is on its way when it is interrupted, and answers it as unavailable', async () => {
    const tasks: (() => void)[] = [];
    const log = new FaultyLog({ clock: new ManualClock() });
    const broker = new FaultyBroker(log, (task) => tasks.push(task));
    const run = () => {
      for (let task = tasks.shift(); task; task = tasks.shift()) task();
    };
    const channel = durableChannel();
    const records: LogRecord[] = [];
    const subscribing = broker.subscribe(channel, {
      onRecord: (record) => records.push(record),
      onInterrupted: () => {},
      onResumed: () => {},
      onDoubt: () => {},
    });
    run();
    await subscribing;
    log.publish(channel, numbered(1));
    const reading = broker.read(channel, { last: true, limit: 1 });
    broker.interrupt(channel.name);
    broker.resume(channel.name);
    run();
    await expect(reading).rejects.toMatchObject(unavailable);
    log.publish(channel, numbered(1));
    run();
    expect(offsets(records)).toEqual([2]);
  });

  it('keeps one view whatever order its tasks run in: pushes in order, answers not older than pushes before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 5, maxLength: 40 }), fc.infiniteStream(fc.nat()), keepsOneView),
      { numRuns: 300 },
    );
  });
});

async function keepsOneView(steps: number[], choices: Iterator<number>): Promise<void> {
  const tasks: (() => void)[] = [];
  const log = new FaultyLog({ clock: new ManualClock() });
  const broker = new FaultyBroker(log, (task) => tasks.push(task));
  const channel: ChannelSpec = durableChannel();
  const runSome = () => tasks.splice((choices.next().value as number) % Math.max(1, tasks.length), 1)[0]?.();
  let lastPushed = 0;
  let first: number | undefined;
  const listener = {
    onRecord({ offset }: LogRecord) {
      first ??= offset;
      if (lastPushed > 0) expect(offset).toBe(lastPushed + 1);
      lastPushed = offset;
    },
    onInterrupted() {},
    onResumed() {},
    onDoubt() {},
  };
  let subscription: Subscription | undefined;
  const waiting: Promise<void>[] = [
    broker.subscribe(channel, listener).then((made) => {
      subscription = made;
    }),
  ];
  const published: number[] = [];
  for (const step of steps) {
    if (step === 0) {
      waiting.push(publishOne(broker, channel, json(1)).then(({ offset }) => void published.push(offset)));
    }
    if (step === 1) {
      const pushedBefore = lastPushed;
      const check = ({ head }: LogPage) => expect(head.offset).toBeGreaterThanOrEqual(pushedBefore);
      waiting.push(
        broker
          .read(channel, { last: true, limit: 1 })
          .then(check)
          .then(() => {}),
      );
    }
    runSome();
    await Promise.resolve();
  }
  while (tasks.length > 0) {
    runSome();
    await turn();
  }
  await Promise.all(waiting);
  expect(subscription).toBeDefined();
  expect(published).toEqual(range(1, published.length));
  if (first !== undefined) expect(lastPushed).toBe(published.length);
}
