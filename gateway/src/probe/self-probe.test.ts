import { expect, it, onTestFinished } from 'vitest';
import type { Broker, ShardHealth } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { systemClock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { createStats } from '../stats.js';
import { SelfProbe } from './self-probe.js';

const TIMINGS = { intervalMs: 10, timeoutMs: 100 };
const OK: ShardHealth = { shard: 'memory', state: 'ok' };

/** A probe over the memory broker, some of which can be replaced while it runs. */
function start() {
  const memory = createMemoryBroker({ clock: systemClock });
  const stats = createStats();
  const told: (string | undefined)[] = [];
  const faults: unknown[] = [];
  const failures = (reason: string) => stats.probeFailures.get(reason) ?? 0;
  const world = {
    stats,
    told,
    /** What had failed, and how often, when `told` was told each. */
    failedWhenTold: [] as object[],
    faults,
    health: [OK] as readonly ShardHealth[],
    refusals: {} as Record<string, number>,
    /** Pushes that get lost from now on. */
    drops: 0,
    publish: memory.publish,
    subscribe: ((spec, listener) =>
      memory.subscribe(spec, {
        ...listener,
        onInterrupted: () => listener.onInterrupted(),
        onResumed: () => listener.onResumed(),
        onDoubt: () => listener.onDoubt(),
        onRecord(record) {
          if (world.drops > 0) world.drops--;
          else listener.onRecord(record);
        },
      })) as Broker['subscribe'],
  };
  const broker: Broker = {
    ...memory,
    publish: (...given) => world.publish(...given),
    subscribe: (...given) => world.subscribe(...given),
    health: () => [...world.health],
    refusals: () => world.refusals,
  };
  const probe = new SelfProbe({
    broker,
    clock: systemClock,
    stats,
    instance: 'i1',
    timings: TIMINGS,
    onState(_, reason) {
      told.push(reason);
      world.failedWhenTold.push(Object.fromEntries(stats.probeFailures));
    },
    onFault: (message) => faults.push(message),
  });
  onTestFinished(async () => {
    probe.close();
    await memory.close();
    expect(faults).toEqual([]);
  });
  const succeeded = () => stats.probeLatency.counts.reduce((sum, one) => sum + one, 0);
  /** Resolves after this many more successes. */
  const successes = async (count: number) => {
    const before = succeeded();
    await expect.poll(succeeded, { interval: 5 }).toBeGreaterThanOrEqual(before + count);
  };
  const isUp = () => probe.states()[0]?.isUp;
  return Object.assign(world, { probe, successes, failures, isUp });
}

const POLL = { interval: 5 };

it('reads back what it publishes', async () => {
  const world = start();
  world.probe.start();
  await world.successes(3);
  expect(world.probe.states()).toEqual([{ shard: 'memory', isUp: true }]);
  expect(world.probe.apply([OK])).toEqual([OK]);
  expect([world.told, [...world.stats.probeFailures], world.stats.brokerClockAheadMs]).toEqual([[], [], 0]);
});

it('fails after three messages in a row that are not pushed, and is well after two that are', async () => {
  const world = start();
  world.probe.start();
  await world.successes(1);
  world.drops = Number.POSITIVE_INFINITY;
  await expect.poll(world.isUp, POLL).toBe(false);
  expect(world.failedWhenTold).toEqual([{ silent: 3 }]);
  expect(
    world.probe.apply([
      { ...OK, detail: 'a' },
      { shard: 'other', state: 'ok' },
    ]),
  ).toEqual([
    { shard: 'memory', state: 'lost', detail: 'a; the self-probe does not come back' },
    { shard: 'other', state: 'ok' },
  ]);
  world.drops = 0;
  await expect.poll(world.isUp, POLL).toBe(true);
  expect(world.told).toEqual(['what it publishes is stored, but not pushed back', undefined]);
});

it('does not change its mind for single losses', async () => {
  const world = start();
  world.probe.start();
  for (let loss = 1; loss <= 4; loss++) {
    await world.successes(1);
    world.drops = 1;
    await expect.poll(() => world.failures('silent'), POLL).toBe(loss);
  }
  await world.successes(1);
  expect(world.told).toEqual([]);
});

it('fails at once where none was ever read back', async () => {
  const world = start();
  world.publish = () => new Promise(() => {});
  world.probe.start();
  await expect.poll(world.isUp, POLL).toBe(false);
  expect([world.failedWhenTold, world.told]).toEqual([[{ unanswered: 1 }], ['what it publishes is not answered']]);
});

const REASON = 'its subscription is not acknowledged, or its log cannot be read';

it('is not on its channel while that cannot be subscribed, and gets there by itself', async () => {
  const world = start();
  const { subscribe } = world;
  world.subscribe = async () => {
    throw new FanfareError('unavailable', 'not now');
  };
  world.probe.start();
  await expect.poll(world.isUp, POLL).toBe(false);
  expect(world.failedWhenTold).toEqual([{ unsubscribed: 1 }]);
  world.subscribe = subscribe;
  await expect.poll(() => world.told, POLL).toEqual([REASON, undefined]);
});

it('takes a broker that refuses for no fault of the way to it', async () => {
  const world = start();
  const { publish } = world;
  world.probe.start();
  await world.successes(1);
  world.publish = async () => {
    world.refusals = { oom: (world.refusals.oom ?? 0) + 1 };
    return [new Error('OOM')];
  };
  await expect.poll(() => world.failures('refused'), POLL).toBeGreaterThan(4);
  expect(world.isUp()).toBe(true);
  world.publish = publish;
  await world.successes(1);
  expect(world.told).toEqual([]);
});

it('says nothing about a part that is known to be lost, and begins anew when it is back', async () => {
  const world = start();
  world.probe.start();
  await world.successes(1);
  world.drops = Number.POSITIVE_INFINITY;
  await expect.poll(world.isUp, POLL).toBe(false);
  world.health = [{ ...OK, state: 'lost' }];
  await expect.poll(world.isUp, POLL).toBe(true);
  world.drops = 0;
  world.health = [OK];
  await world.successes(2);
  expect(world.isUp()).toBe(true);
  expect(world.told).toEqual(['what it publishes is stored, but not pushed back', undefined]);
});

it('learns how far another clock is ahead, as well as the quickest probe tells', async () => {
  const { ClockComparison } = await import('./clock-comparison.js');
  const comparison = new ClockComparison();
  expect(comparison.learn(1_000, 1_000, 4)).toBe(0);
  expect(comparison.learn(5_700, 5_000, 400)).toBe(0);
  const other = new ClockComparison();
  expect(other.learn(5_700, 5_000, 400)).toBe(500);
  expect(other.learn(6_401, 6_000, 2)).toBe(400);
  expect(other.learn(9_000, 7_000, 2_000)).toBe(400);
});
