/** Channels that cannot be brought in line with their log: that is told, and harms no other channel. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CHANNEL, createHub, join } from '../../test/support/hub-kit.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { openChannel } from '../../test/support/plain-subscriber.js';
import type { Broker, ChannelListener } from '../broker/broker.js';
import { FanfareError } from '../errors.js';
import type { HubOptions } from '../hub/hub-options.js';
import { Semaphore } from '../semaphore.js';
import { Standstill, stallsOf, withStalls } from './stalls.js';

const JOIN_MS = 150;
const NO_MAJORITY = 'no majority confirms the master';

/**
 * A hub whose channel owes its subscribers a `reset` that nobody can confirm: its log was taken over and lost
 * what the channel has sent, and the master that says so is confirmed by no majority.
 */
async function createHubInDoubt(options: Partial<HubOptions> = {}) {
  const listeners = new Map<string, ChannelListener>();
  let isConfirmed = true;
  let isForked = false;
  const kit = createHub(
    (memory: Broker) => ({
      subscribe(channel, listener) {
        listeners.set(channel.name, listener);
        return memory.subscribe(channel, listener);
      },
      async read(channel, range) {
        if ('confirmed' in range && range.confirmed && !isConfirmed) throw new FanfareError('unavailable', NO_MAJORITY);
        const page = await memory.read(channel, range);
        if (!isForked || channel.name !== CHANNEL.name) return page;
        const [first] = page.lineage;
        const epoch = page.head.epoch + 1;
        const lineage = first ? [first, { epoch, baseOffset: 2 }] : [];
        return { ...page, head: { epoch, offset: 2 }, lineage, entries: [], more: false };
      },
    }),
    { joinTimeoutMs: JOIN_MS, tailEntries: 1, ...options },
  );
  for (let n = 1; n <= 4; n++) await kit.publish(String(n));
  const { joined } = await join(kit.hub);
  isConfirmed = false;
  isForked = true;
  const listener = listeners.get(CHANNEL.name) as ChannelListener;
  listener.onInterrupted();
  listener.onResumed();
  return {
    ...kit,
    epoch: String(joined?.position?.epoch),
    confirm() {
      isConfirmed = true;
    },
  };
}

describe('a channel that cannot be repaired', () => {
  it('answers nobody who resumes from what it may have lost: refused in time, or once that is confirmed', async () => {
    const { hub, epoch, confirm } = await createHubInDoubt();
    // The channel stands there itself.
    const start = { since: { epoch, offset: 4 } };
    await expect(join(hub, CHANNEL, start)).rejects.toMatchObject({ code: 'unavailable', retryable: true });

    confirm();
    await expect.poll(() => hub.stalls()).toEqual([]);
    const { joined } = await join(hub, CHANNEL, start);
    expect(joined).toMatchObject({ recovered: false, reason: 'diverged', position: { offset: 2 } });
  });

  it('refuses joins, and says why, once it has stood still for as long as a join may wait', async () => {
    const { hub, sent, confirm } = await createHubInDoubt();
    expect(hub.stalls()).toEqual([]);
    await delay(JOIN_MS + 20);
    await expect(join(hub)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await expect(join(hub)).rejects.toThrow(NO_MAJORITY);
    const [stall, ...others] = hub.stalls();
    expect(others).toEqual([]);
    expect(stall).toMatchObject({ shard: 'memory', channels: 1, reason: NO_MAJORITY });
    expect(stall?.forMs).toBeGreaterThanOrEqual(JOIN_MS);
    expect(sent).toEqual([]);

    confirm();
    await expect.poll(() => sent.map((text) => JSON.parse(text).type)).toEqual(['reset', 'epoch']);
    await join(hub);
    expect(hub.stalls()).toEqual([]);
  });

  it('answers a resume that its log would serve, in as long as a join may wait', async () => {
    const { hub, epoch } = await createHubInDoubt();
    // Not in the tail, and where both branches of the log agree.
    const { joined } = await Promise.race([
      settled(join(hub, CHANNEL, { since: { epoch, offset: 1 } })),
      delay(10 * JOIN_MS).then(() => ({ joined: 'no answer' })),
    ]);
    expect(joined).not.toBe('no answer');
  });

  it('holds up no other channel of a connection, however many such it is on', async () => {
    const { hub, epoch, memory, publish } = await createHubInDoubt({ joinTimeoutMs: 10_000 });
    const other = openChannel('other');
    for (let n = 1; n <= 4; n++) await publish(String(n), other);
    const { head } = await memory.read(other, { last: true, limit: 1 });
    const pages = new Semaphore(1);
    const oneConnection = { oneOfFew: (task: () => Promise<void>) => pages.run(task) };
    let ended = 0;
    // One is unknown to the log, which only a confirmed read may say; one waits for the repair.
    for (const since of [
      { epoch: '1', offset: 3 },
      { epoch, offset: 2 },
    ])
      void settled(join(hub, CHANNEL, { since }, oneConnection)).then(() => ended++);
    await delay(20);
    const start = { since: { epoch: String(head.epoch), offset: 1 } };
    const { joined } = await join(hub, other, start, oneConnection);
    expect([joined?.recovered, ended]).toEqual([true, 0]);
  });

  it('is no longer told of once nobody is on it', async () => {
    const { hub } = await createHubInDoubt({ lingerMs: 0 });
    await delay(JOIN_MS + 20);
    expect(hub.stalls()).toHaveLength(1);
    await hub.close();
    expect(hub.stalls()).toEqual([]);
  });
});

it('a part of the broker with channels that stand still stays ok, and says what stands still and why', () => {
  const health = [
    { shard: 'one', state: 'ok' as const, detail: 'a warning' },
    { shard: 'two', state: 'ok' as const },
  ];
  const stalls = [{ shard: 'one', channels: 3, forMs: 12_345, reason: NO_MAJORITY }];
  expect(withStalls(health, stalls)).toEqual([
    { ...health[0], detail: `a warning; 3 channels stand still, the first for 12 s: ${NO_MAJORITY}` },
    health[1],
  ]);
});

/** However it ends. */
async function settled(joining: ReturnType<typeof join>): Promise<{ joined?: unknown }> {
  return joining.catch((error) => ({ joined: error }));
}

describe('a standstill', () => {
  const setUpStandstills = () => {
    const clock = new ManualClock(0);
    const standing = new Set<Standstill>();
    const stand = (shard: string, reason: string) => {
      const one = new Standstill({ clock, options: { joinTimeoutMs: 100 }, standing }, { shard });
      one.reason = reason;
      return one;
    };
    return { clock, standing, stand };
  };

  it('is told once it has lasted for as long as a join may wait, since it began or got ahead, until it ends', () => {
    const { clock, standing, stand } = setUpStandstills();
    const one = stand('s', 'why');
    expect(one.stall).toBeUndefined();
    one.begin();
    clock.advance(60);
    one.begin();
    clock.advance(39);
    expect([one.stall, standing.size]).toEqual([undefined, 1]);
    clock.advance(1);
    expect(one.stall).toEqual({ shard: 's', forMs: 100, reason: 'why' });
    one.moved();
    clock.advance(99);
    expect(one.stall).toBeUndefined();
    clock.advance(1);
    expect(one.stall).toBeDefined();
    one.end();
    clock.advance(1_000);
    expect([one.stall, standing.size]).toEqual([undefined, 0]);
  });

  it('counts its channel among those of its part, which tells how long the first has stood, and why', () => {
    const { clock, standing, stand } = setUpStandstills();
    stand('s', 'the first').begin();
    clock.advance(50);
    stand('s', 'the second').begin();
    stand('t', 'elsewhere').begin();
    clock.advance(100);
    stand('s', 'too young').begin();
    expect(stallsOf(standing)).toEqual([
      { shard: 's', channels: 2, forMs: 150, reason: 'the first' },
      { shard: 't', channels: 1, forMs: 100, reason: 'elsewhere' },
    ]);
  });
});
