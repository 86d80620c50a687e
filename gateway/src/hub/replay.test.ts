import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Wire } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { ReadRange } from '../broker/broker.js';
import { ChannelLog } from '../broker/memory/channel-log.js';
import type { LogPosition } from '../broker/record.js';
import { FanfareError } from '../errors.js';
import { FlightRecorder } from '../flight-recorder.js';
import { createStats } from '../stats.js';
import { Membership } from './channel.js';
import { HUB_DEFAULTS } from './hub-options.js';
import { LogReader } from './log-reader.js';
import { replay } from './replay.js';
import { SendQueue } from './send-queue.js';
import type { Joined, Start, Subscriber } from './subscriber.js';
import { Tail } from './tail.js';

const SPEC = openChannel('a');
const message = { payload: { format: 'json', bytes: Buffer.from('1') } } as const;

/** A log of `count` messages of epoch 1, the entries of which are from `time` 1 on, each a ms later. */
function logOf(count: number): ChannelLog {
  const log = new ChannelLog(1);
  append(log, count);
  return log;
}

function append(log: ChannelLog, count: number, size = 1): void {
  for (let i = 0; i < count; i++) log.append(message, log.head.offset + 1, size, 1e9);
}

/** What a frame says, in short. */
function short(frame: Wire): string {
  const { type, offset, epoch, reason } = JSON.parse(Buffer.from(frame as Uint8Array).toString());
  if (type === 'message') return String(offset);
  return [type, reason, `${epoch}-${offset}`].filter(Boolean).join(' ');
}

interface SetUp {
  readonly tailEntries?: number;
  readonly pageEntries?: number;
  readonly subscriber?: (sent: string[]) => Partial<Subscriber>;
  /** What has left for the transport, if not all. */
  readonly flushed?: LogPosition;
  /** Before the log is read. */
  readonly read?: (range: ReadRange, n: number) => void;
}

/** A channel that has taken over all of its log, and one client. */
function setUp(
  log: ChannelLog,
  { tailEntries = 1, pageEntries = 2, subscriber = () => ({}), flushed = log.head, read = () => {} }: SetUp = {},
) {
  const clock = new ManualClock(0);
  const stats = createStats();
  const sent: string[] = [];
  const reads: ReadRange[] = [];
  const broker = {
    async read(_: unknown, range: ReadRange) {
      reads.push(range);
      read(range, reads.length);
      return log.read(range);
    },
  };
  const owner = { options: { queueBytes: 1e9, allQueuesBytes: 1e9 }, bytes: 0, wake() {}, count() {}, settled() {} };
  const queue = new SendQueue(owner, 'a');
  const tail = new Tail('a', tailEntries, 1e9, { epoch: 0, offset: 0 });
  const { entries } = log.read({ last: true, limit: tailEntries });
  tail.fill(entries, log.lineage, log.head);
  queue.startAt(flushed);
  const options = { ...HUB_DEFAULTS, pageEntries };
  const told: Joined[] = [];
  const resets: string[] = [];
  const recorder = new FlightRecorder(0);
  const context = {
    recorder,
    broker,
    clock,
    stats,
    options,
    onReset: (_: string, reason: string) => resets.push(reason),
  } as never;
  const whole = { spec: SPEC, queue, context: { stats, recorder }, left() {}, head: log.head } as never;
  const topics: string[] = [];
  const plain = {
    ...plainSubscriber(),
    subscribe: (topic: string) => topics.push(topic),
    sendReplayed: (frame: Wire) => sent.push(short(frame)) > 0,
  };
  // Its getters stay getters.
  const client = Object.defineProperties(plain, Object.getOwnPropertyDescriptors(subscriber(sent)));
  const membership = new Membership(whole, client);
  const channel = {
    spec: SPEC,
    queue,
    tail,
    cursor: log.head,
    lineage: log.lineage,
    reader: new LogReader({ broker: broker as never, options, stats, clock }, SPEC),
    catchUp: async () => {},
    repair: async () => {},
    isSure: true,
    madeSure: async () => {},
  };
  const run = (start: Start) =>
    replay(channel, membership, start, context, (joined) => {
      expect([sent, membership.isLive]).toEqual([[], false]);
      told.push(joined);
    });
  return { clock, stats, sent, reads, told, resets, membership, topics, run };
}

/** Moves on until it has settled. */
async function settle(running: Promise<void>, clock: ManualClock) {
  let outcome: unknown;
  running.then(
    () => (outcome = 'on the topic'),
    (error) => (outcome = error),
  );
  for (let n = 0; n < 1_000 && outcome === undefined; n++) {
    await nextTurn();
    clock.advance(20);
  }
  return outcome;
}

const since = (offset: number, epoch = '1') => ({ since: { epoch, offset } });
const at = (offset: number, epoch = 1) => ({ epoch, offset });

describe('a client', () => {
  it('that wants nothing of the past stands where the channel is, and is on its topic', async () => {
    const { run, told, sent, reads, topics } = setUp(logOf(5));
    await run(undefined);
    expect([told, sent, reads.length, topics]).toEqual([[{ position: at(5) }], [], 0, ['json/a']]);
  });

  it('that missed little is fed from what is at hand', async () => {
    const { run, told, sent, reads, membership, stats } = setUp(logOf(5), { tailEntries: 3 });
    await run(since(2));
    expect(told).toEqual([{ position: at(2), recovered: true }]);
    expect([sent, reads.length, membership.isLive]).toEqual([['3', '4', '5'], 0, true]);
    expect([stats.joinsFromTail, stats.resumesRecovered]).toEqual([1, 1]);
  });

  it('that missed more is fed page by page from the log, each message once, and then from what is at hand', async () => {
    const { run, sent, reads, membership, stats } = setUp(logOf(8), { tailEntries: 3 });
    await run(since(1));
    expect(sent).toEqual(['2', '3', '4', '5', '6', '7', '8']);
    expect(reads).toMatchObject([{ after: at(1) }, { after: at(3) }]);
    expect([membership.isLive, stats.replayPages]).toEqual([true, 2]);
  });

  it('is told of a new epoch before its first message, and at a border, that the place has a newer name', async () => {
    const log = logOf(3);
    log.beginEpoch(2, 3);
    append(log, 1);
    const { run, sent } = setUp(log);
    await run(since(2));
    expect(sent).toEqual(['3', 'epoch 2-3', '4']);
    const idle = logOf(3);
    idle.beginEpoch(2, 3);
    const border = setUp(idle);
    await border.run(since(3));
    expect([border.sent, border.membership.isLive, border.reads]).toEqual([['epoch 2-3'], true, []]);
  });

  it('that left is sent nothing more, and is on no topic', async () => {
    const { run, clock, sent, topics, membership } = setUp(logOf(8), {
      read(_, n) {
        if (n === 2) membership.leave();
      },
    });
    await settle(run(since(0)), clock);
    expect([sent, topics]).toEqual([['1', '2'], []]);
  });
});

describe('a client whose continuity is broken', () => {
  const trimmed = () => {
    const log = logOf(8);
    log.trim(4);
    return log;
  };
  const forked = () => {
    const log = logOf(8);
    log.beginEpoch(2, 6);
    append(log, 2);
    return log;
  };

  it.each([
    ['what it missed was trimmed', trimmed, since(2), 'expired', at(4), ['5', '6', '7', '8']],
    ['the log forked before where it stands', forked, since(7), 'diverged', at(6), ['epoch 2-6', '7', '8']],
    ['nobody knows its epoch', forked, since(3, '9'), 'unrecoverable', at(8, 2), []],
  ] as const)(
    'is told so in the answer, and where it stands now: %s',
    async (_, log, start, reason, position, frames) => {
      const { run, told, sent, resets, membership } = setUp(log());
      await run(start);
      expect(told).toEqual([{ position, recovered: false, reason }]);
      expect([sent, resets, membership.isLive]).toEqual([frames, [reason], true]);
    },
  );

  it('is told so though the channel stood there when it last sent something: its reset has not left yet', async () => {
    const log = forked();
    const { run, told, sent, membership } = setUp(log, {
      flushed: at(7),
      read(_, n) {
        if (n === 2) membership.topic.flushed = log.head;
      },
    });
    await run(since(7));
    expect(told).toEqual([{ position: at(6), recovered: false, reason: 'diverged' }]);
    expect(sent).toEqual(['epoch 2-6', '7', '8']);
  });

  it('is told so by a confirmed read only: the first one may have been of a server that was deposed', async () => {
    const { run, reads, told, sent } = setUp(trimmed());
    await run(since(2));
    expect(reads.slice(0, 2).map(({ confirmed }) => confirmed)).toEqual([false, true]);
    expect([told.length, sent.length]).toEqual([1, 4]);
  });

  it('is told so by a reset where it happens behind the answer', async () => {
    const log = logOf(8);
    const { run, told, sent, membership } = setUp(log, {
      read(_, n) {
        if (n === 2) log.trim(6);
      },
    });
    await run(since(0));
    expect(told).toEqual([{ position: at(0), recovered: true }]);
    expect(sent).toEqual(['1', '2', 'reset expired 1-6', '7', '8']);
    expect(membership.isLive).toBe(true);
  });
});

describe('a client that rewinds', () => {
  it('begins so many messages back, or at the oldest there is, without a reset', async () => {
    const near = setUp(logOf(8), { tailEntries: 3 });
    await near.run({ rewind: 2 });
    expect([near.told, near.sent]).toMatchObject([[{ position: at(6) }], ['7', '8']]);
    const log = logOf(8);
    log.trim(4);
    const far = setUp(log);
    await far.run({ rewind: 7 });
    expect([far.told, far.sent]).toMatchObject([[{ position: at(4) }], ['5', '6', '7', '8']]);
    expect(far.resets).toEqual([]);
  });

  it('begins at a time, in what is at hand or in the log', async () => {
    for (const tailEntries of [6, 1]) {
      const { run, clock, sent } = setUp(logOf(8), { tailEntries });
      clock.set(10);
      await run({ rewindMs: 5 });
      expect(sent).toEqual(['5', '6', '7', '8']);
    }
  });
});

describe('a client that reads slowly', () => {
  it.each([
    ['what is at hand', 10],
    ['the log', 1],
  ])('gets each message of %s once, when it has read what came before', async (_, tailEntries) => {
    let room = 0;
    let waits = 0;
    const { run, sent, membership } = setUp(logOf(8), {
      tailEntries,
      pageEntries: 4,
      subscriber: (frames) => ({
        sendReplayed(frame) {
          if (room === 0) return false;
          room--;
          frames.push(short(frame));
          return true;
        },
        get isDrained() {
          return room > 0;
        },
        async drained() {
          await nextTurn();
          waits++;
          room = 2;
        },
      }),
    });
    await run(since(0));
    expect(sent).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect([membership.isLive, waits]).toEqual([true, 5]);
  });

  it('is not sent more than 32 KiB before it is looked whether it reads', async () => {
    for (const tailEntries of [20, 1]) {
      const log = new ChannelLog(1);
      append(log, 20, 10 * 1024);
      let stretch = 0;
      const { run, sent } = setUp(log, {
        tailEntries,
        pageEntries: 20,
        subscriber: (frames) => ({
          sendReplayed: (frame) => frames.push(short(frame)) > 0,
          get isDrained() {
            return stretch === frames.length;
          },
          async drained() {
            expect(sent.length - stretch).toBeLessThanOrEqual(4);
            stretch = sent.length;
          },
        }),
      });
      await run(since(0));
      expect(sent).toHaveLength(20);
    }
  });
});

describe('where the log cannot be read', () => {
  const away = new FanfareError('unavailable', 'nobody answers');
  it('it is tried again', async () => {
    const { run, clock, sent } = setUp(logOf(4), {
      read(_, n) {
        if (n <= 3) throw away;
      },
    });
    expect(await settle(run(since(0)), clock)).toBe('on the topic');
    expect(sent).toEqual(['1', '2', '3', '4']);
  });

  it('a client that was told nothing may go elsewhere after as long as a join may take', async () => {
    const { run, clock, told } = setUp(logOf(4), {
      read() {
        throw away;
      },
    });
    expect(await settle(run(since(0)), clock)).toBe(away);
    expect(clock.now()).toBeGreaterThanOrEqual(HUB_DEFAULTS.joinTimeoutMs);
    expect(told).toEqual([]);
  });

  it('a client that was told where it stands waits there, however long it takes', async () => {
    const { run, clock, sent } = setUp(logOf(4), {
      read(_, n) {
        if (n > 1 && clock.now() < 3 * HUB_DEFAULTS.joinTimeoutMs) throw away;
      },
    });
    expect(await settle(run(since(0)), clock)).toBe('on the topic');
    expect(clock.now()).toBeGreaterThanOrEqual(3 * HUB_DEFAULTS.joinTimeoutMs);
    expect(sent).toEqual(['1', '2', '3', '4']);
  });

  it('what is no use to try again is told at once', async () => {
    const fault = new Error('a fault of ours');
    const { run, clock } = setUp(logOf(4), {
      read() {
        throw fault;
      },
    });
    expect(await settle(run(since(0)), clock)).toBe(fault);
    expect(clock.now()).toBeLessThan(100);
  });
});
