import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.js';
import { systemClock } from '../../../clock.js';
import { formatAddress, type RedisAddress } from '../../../redis/url.js';
import type { ReadRange } from '../../broker.js';
import { LogReads } from './log-reads.js';
import type { PushLink } from './push-link.js';
import type { VirtualShard } from './virtual-shard.js';

const CHANNEL = { name: 'a', durable: true, historySize: 1, historyTtlMs: 1000 };
const REPLID = 'f'.repeat(40);
const PAGE = [7, 3, Buffer.from('7:0'), 0, Buffer.from(REPLID), Buffer.from('master')];

/** A link with a server that answers with this reply, or this error. */
function linkWith(address: RedisAddress, reply: unknown[] | string): PushLink {
  const answer = async () => {
    if (typeof reply !== 'string') return reply;
    throw Object.assign(new Error(reply), { name: 'ReplyError' });
  };
  return {
    address,
    replicationId: REPLID,
    isOpen: true,
    read: (_: unknown, read: () => unknown) => read(),
    redis: { callBuffer: answer, asking: async () => 'OK' },
  } as unknown as PushLink;
}

it.each([
  ['127.0.0.1', '127.0.0.2', '127.0.0.2'],
  ['::1', '2001:db8::2', '2001:db8::2'],
  ['::1', '', '::1'],
  ['127.0.0.1', '', '127.0.0.1'],
])('on %s, follows ASK to "%s" at %s', async (asked, named, expected) => {
  const link = linkWith({ host: asked, port: 1 }, `ASK 15495 ${named}:2`);
  const target = formatAddress({ host: expected, port: 2 });
  const other = linkWith({ host: expected, port: 2 }, PAGE);
  // A server that is being given the slot lets in only who says ASKING before.
  const said: string[] = [];
  const { redis } = other;
  Object.assign(other, {
    redis: {
      asking: async () => void said.push('ASKING'),
      callBuffer: (command: string, ...args: string[]) => {
        said.push('read');
        return redis.callBuffer(command, ...args);
      },
    },
  });
  const reads = new LogReads({
    clock: systemClock,
    readWaitMs: 0,
    linkAt: (address) => (formatAddress(address) === target ? other : undefined),
    confirm: async () => true,
    onMoving() {},
    onMoved() {},
    onError() {},
  });
  const shard = { slot: 15495, connection: { link } } as unknown as VirtualShard;
  const page = await reads.read(shard, CHANNEL, { last: true, limit: 0 }, {});
  expect(page.head).toEqual({ epoch: 7, offset: 3 });
  expect(said).toEqual(['ASKING', 'read']);
});

const AT = { host: '127.0.0.1', port: 1 };
const LAST: ReadRange = { last: true, limit: 0 };
const page = ({ role = 'master', replid = REPLID } = {}) => [
  ...PAGE.slice(0, 4),
  Buffer.from(replid),
  Buffer.from(role),
];

/** Reads on a link whose server answers like this, one answer after the other, the last one again and again. */
function setUp(
  answers: readonly (unknown[] | string)[],
  options: Partial<ConstructorParameters<typeof LogReads>[0]> = {},
) {
  const clock = new ManualClock(0);
  const told: string[] = [];
  let n = 0;
  const state = { isOpen: true, verified: true };
  const link = {
    ...linkWith(AT, page()),
    get isOpen() {
      return state.isOpen;
    },
    lose: (why: string) => told.push(`lost: ${why}`),
    verify: async () => state.verified,
    redis: {
      async callBuffer() {
        const answer = answers[Math.min(n++, answers.length - 1)] as unknown[] | string;
        if (typeof answer !== 'string') return answer;
        throw Object.assign(new Error(answer), { name: 'ReplyError' });
      },
    },
  } as unknown as PushLink;
  // The getter was read by the spread.
  Object.defineProperty(link, 'isOpen', { get: () => state.isOpen });
  const served: { slot: number; connection: { name: string; link: PushLink } } = {
    slot: 1,
    connection: { name: 'm', link },
  };
  const shard = served as unknown as VirtualShard;
  const reads = new LogReads({
    clock,
    readWaitMs: 1_000,
    linkAt: () => undefined,
    confirm: async () => true,
    onMoving: () => told.push('moving'),
    onMoved: () => told.push('moved'),
    onError: (_, slot) => told.push(`error ${slot}`),
    ...options,
  });
  /** What comes of it, and when. */
  const run = async (range: ReadRange = LAST) => {
    const outcome = reads.read(shard, CHANNEL, range, {}).then(
      ({ head }) => `head ${head.epoch}-${head.offset}`,
      ({ code, message }) => `${code}: ${message}`,
    );
    let isOver = false;
    void outcome.then(() => {
      isOver = true;
    });
    for (let i = 0; i < 200 && !isOver; i++) {
      await nextTurn();
      if (!isOver) clock.advance(25);
    }
    return { outcome: await outcome, ms: clock.now() };
  };
  return { clock, told, state, served, run, attempts: () => n };
}

describe('a log that cannot be read', () => {
  it('is tried again until it can be', async () => {
    const { run, attempts } = setUp(['LOADING', 'CLUSTERDOWN', page()]);
    expect((await run()).outcome).toBe('head 7-3');
    expect(attempts()).toBe(3);
  });

  it('is unavailable once nobody has answered for that long, and at once where that is asked for', async () => {
    const slow = setUp(['LOADING Redis is loading']);
    const { outcome, ms } = await slow.run();
    expect(outcome).toMatch(/^unavailable/);
    expect(ms).toBeGreaterThanOrEqual(1_000);
    expect(ms).toBeLessThan(1_200);
    const fast = setUp(['LOADING Redis is loading']);
    expect((await fast.run({ ...LAST, failFast: true })).ms).toBe(0);
    expect(fast.attempts()).toBe(1);
  });

  it('for another reason than that nobody serves it, is a fault of ours, told at once', async () => {
    const { run, attempts } = setUp(['ERR user_script:1: attempt to index a nil value']);
    expect((await run()).outcome).toMatch(/^internal/);
    expect(attempts()).toBe(1);
  });
});

describe('an answer', () => {
  it.each([
    ['of a replica', page({ role: 'slave' })],
    ['of a server that took over or restarted', page({ replid: '0'.repeat(40) })],
  ])('%s is not believed, and the link is given up', async (_, answer) => {
    const { run, told } = setUp([answer, page()]);
    expect((await run()).outcome).toBe('head 7-3');
    expect(told).toEqual(['lost: it is no longer the master it was']);
  });

  it('that comes on a link that was lost meanwhile is worth nothing', async () => {
    const { run, state } = setUp([page()]);
    state.isOpen = false;
    expect((await run()).outcome).toMatch(/^unavailable/);
  });

  it('says what it means: read-only is no master, moved and on its way are told', async () => {
    const { run, told } = setUp(['READONLY x', 'MOVED 1 127.0.0.1:2', 'TRYAGAIN x', page()]);
    expect((await run()).outcome).toBe('head 7-3');
    expect(told).toEqual(['error 1', 'lost: it is read-only', 'error 1', 'moved', 'error 1', 'moving']);
  });
});

describe('a confirmed read', () => {
  const CONFIRMED = { ...LAST, confirmed: true };

  it('is believed where a majority and the connection itself say so, and asks for neither otherwise', async () => {
    let asked = 0;
    const confirm = async () => ++asked > 0;
    expect((await setUp([page()], { confirm }).run(CONFIRMED)).outcome).toBe('head 7-3');
    expect(asked).toBe(1);
    expect((await setUp([page()], { confirm }).run()).outcome).toBe('head 7-3');
    expect(asked).toBe(1);
  });

  it('is not believed without the majority', async () => {
    const { run } = setUp([page()], { confirm: async () => false });
    expect((await run(CONFIRMED)).outcome).toMatch(/^unavailable/);
  });

  it('is not believed where the connection does not answer any more', async () => {
    const { run, state } = setUp([page()]);
    state.verified = false;
    expect((await run(CONFIRMED)).outcome).toMatch(/^unavailable/);
  });

  it('is not believed where the shard has another master by then', async () => {
    const { run, served } = setUp([page()], {
      async confirm() {
        served.connection = { name: 'n', link: linkWith(AT, page()) };
        return true;
      },
    });
    // The next attempt asks the new one, which cannot be verified: it is not asked for.
    const range = { ...CONFIRMED, failFast: true };
    expect((await run(range)).outcome).toMatch(/^unavailable/);
  });
});
