import { expect, it } from 'vitest';
import { shardOf as shardInGateway, slotOfShard } from '../../../gateway/src/redis/keys.js';
import type { Costs } from './costs.js';
import { fitSlopes } from './least-squares.js';
import { type Load, mastersOfShards, placeConnections, popularity, publishRates, shardOf } from './placement.js';
import { simulate } from './simulate.js';
import { DEFAULT_LIMITS, most, sizeFor, usesOf } from './size.js';

/** Each cost is another power of ten, so that a sum shows what it is made of. */
const COSTS: Costs = {
  measuredOn: { at: '', machine: '', node: '', redis: '', command: '' },
  gatewayUs: { second: 1, connectionSecond: 10, channelSecond: 100, publish: 1e3, push: 1e4, delivery: 1e5, wakeup: 0 },
  gatewayBytes: { process: 1, connection: 10, subscription: 100, channel: 1e3 },
  deliveryBytes: 100,
  redisUs: { second: 1, gatewaySecond: 10, publish: 100, push: 1e3, channelSecond: 1e4 },
  redisOutputBytes: { second: 1, gatewaySecond: 10, publish: 100, push: 1e3, channelSecond: 1e4 },
  fitError: { gatewayUs: 0, redisUs: 0, redisOutputBytes: 0 },
};

const LOAD: Load = {
  gateways: 1,
  masters: 1,
  connections: 3,
  channels: 1,
  channelsPerConnection: 1,
  skew: 1,
  messagesPerSecond: 2,
  publishSkew: 1,
};

it('one gateway with three subscribers of one channel does what can be counted on fingers', () => {
  const { gateways, masters } = simulate(LOAD, COSTS);
  expect(gateways).toEqual([
    {
      connections: 3,
      subscriptions: 3,
      channels: 1,
      pushes: 2,
      deliveries: 6,
      // 1 second, 3 connections, 1 channel, 2 publishes, 2 pushes, 6 deliveries
      cpu: expect.closeTo(0.622131, 9),
      memoryBytes: 1331,
      outputBytes: 600,
    },
  ]);
  // 1 second, 1 gateway, 2 publishes, 2 pushes, 1 channel
  expect(masters).toEqual([
    { publishes: 2, pushes: 2, channels: 1, cpu: expect.closeTo(0.012211, 9), outputBytes: 12_211 },
  ]);
});

it('a gateway is woken by what comes while it sleeps, and takes along what comes while it is at work', () => {
  const wakeup = 50_000;
  const cpuOf = (messagesPerSecond: number, gatewayUs = { ...COSTS.gatewayUs, delivery: 0, wakeup }) =>
    simulate({ ...LOAD, messagesPerSecond }, { ...COSTS, gatewayUs }).gateways[0]?.cpu as number;
  const withoutWaking = (messages: number) => cpuOf(messages, { ...COSTS.gatewayUs, delivery: 0 });
  // A publish, its reply and its push: three events a message, each of which finds the gateway asleep or not.
  for (const messages of [1, 2, 20]) {
    const cpu = cpuOf(messages);
    expect(cpu).toBeCloseTo(withoutWaking(messages) + (3 * messages * (1 - cpu) * wakeup) / 1e6, 9);
  }
  // A gateway that never sleeps is never woken.
  expect(cpuOf(1_000)).toBe(withoutWaking(1_000));
});

it('each gateway with a subscriber costs one push, and each takes its share of the publishes', () => {
  const { gateways, masters } = simulate({ ...LOAD, gateways: 4 }, COSTS);
  expect(gateways.map(({ connections, pushes, deliveries }) => [connections, pushes, deliveries])).toEqual([
    [1, 2, 2],
    [1, 2, 2],
    [1, 2, 2],
    [0, 0, 0],
  ]);
  // 1 second and half a publish
  expect(gateways[3]?.cpu).toBeCloseTo(0.000501, 9);
  expect(masters[0]).toMatchObject({ publishes: 2, pushes: 6, channels: 3, outputBytes: 36_241 });
});

it('a connection is on different channels', () => {
  const load = { ...LOAD, channels: 4, channelsPerConnection: 4 };
  expect([...placeConnections(load, 1)].map(({ ranks }) => [...ranks].sort())).toEqual(
    Array.from({ length: 3 }, () => [0, 1, 2, 3]),
  );
  expect(simulate(load, COSTS).gateways[0]).toMatchObject({ subscriptions: 12, channels: 4, pushes: 2, deliveries: 6 });
});

it('popularity follows the law of Zipf, and publish rates a power of it', () => {
  expect([...popularity({ channels: 3, skew: 1 })]).toEqual(
    [6 / 11, 3 / 11, 2 / 11].map((share) => expect.closeTo(share, 12)),
  );
  expect([...publishRates({ ...LOAD, channels: 2, skew: 2, publishSkew: 0.5, messagesPerSecond: 3 })]).toEqual([
    expect.closeTo(2, 12),
    expect.closeTo(1, 12),
  ]);
  const alike = publishRates({ ...LOAD, channels: 4, publishSkew: 0, messagesPerSecond: 8 });
  expect([...alike]).toEqual([2, 2, 2, 2]);
});

it('subscribers are drawn by popularity', () => {
  const connections = 50_000;
  const load = { ...LOAD, channels: 3, connections };
  const counts = [0, 0, 0];
  for (const { ranks } of placeConnections(load, 7)) counts[ranks[0] as number] = (counts[ranks[0] as number] ?? 0) + 1;
  // 4 standard deviations of a share are less than one percent here.
  for (const [rank, share] of popularity(load).entries())
    expect(Math.abs((counts[rank] as number) / connections - share)).toBeLessThan(0.01);
});

it('the work of masters adds up to that of one', () => {
  const load = { ...LOAD, gateways: 3, channels: 500, connections: 2_000, messagesPerSecond: 100 };
  const one = simulate(load, COSTS).masters[0];
  const five = simulate({ ...load, masters: 5 }, COSTS).masters;
  for (const name of ['publishes', 'pushes', 'channels'] as const)
    expect(five.reduce((sum, master) => sum + master[name], 0)).toBeCloseTo(one?.[name] as number, 6);
  expect(Math.min(...five.map(({ publishes }) => publishes))).toBeGreaterThan(0);
});

it('a channel is on the shard and the slot that the gateway says', () => {
  const masters = 5;
  const homes = mastersOfShards(masters);
  for (let rank = 0; rank < 1_000; rank++) {
    const shard = shardOf(`demo:${rank}`);
    expect(shard).toBe(shardInGateway(`demo:${rank}`));
    expect(homes[shard]).toBe(Math.floor((slotOfShard(shard) * masters) / 16_384));
  }
});

it('a fleet is as large as its fullest part needs, and one hot channel is told', () => {
  const costs = {
    ...COSTS,
    gatewayUs: { second: 0, connectionSecond: 0, channelSecond: 0, publish: 0, push: 0, delivery: 1_000, wakeup: 0 },
    gatewayBytes: { process: 0, connection: 1, subscription: 0, channel: 0 },
    deliveryBytes: 1,
    redisUs: { second: 0, gatewaySecond: 0, publish: 100, push: 0, channelSecond: 0 },
    redisOutputBytes: { second: 0, gatewaySecond: 0, publish: 1, push: 0, channelSecond: 0 },
  };
  const wanted = { ...LOAD, connections: 1_200, channels: 1, messagesPerSecond: 1 };
  // 1,200 deliveries of 1 ms are 1.2 cores; 0.6 of each may be used.
  const limits = { ...DEFAULT_LIMITS, cpu: 0.6 };
  const size = sizeFor(wanted, costs, limits);
  expect([size.load.gateways, size.load.masters]).toEqual([2, 1]);
  expect(most(size.simulation.gateways, ({ cpu }) => cpu)).toBeCloseTo(0.6, 9);
  expect(usesOf(size.simulation, limits)[0]).toEqual({ what: 'gateway CPU', share: expect.closeTo(1, 9) });
  const hot = { ...wanted, connections: 1, messagesPerSecond: 10_000 };
  expect(() => sizeFor(hot, { ...costs, gatewayUs: { ...costs.gatewayUs, delivery: 0 } })).toThrow(/Redis CPU is full/);
});

it('the fit finds the slopes that observations were made from, none below zero', () => {
  const observe = (...factors: number[]) => ({
    factors,
    value: 5 * (factors[0] as number) + 2 * (factors[1] as number),
  });
  expect(fitSlopes([observe(1, 0), observe(1, 4), observe(3, 1)])).toEqual({
    slopes: [expect.closeTo(5, 9), expect.closeTo(2, 9)],
    error: expect.closeTo(0, 9),
  });
  const falling = [
    { factors: [1, 0], value: 4 },
    { factors: [1, 1], value: 3 },
  ];
  expect(fitSlopes(falling).slopes[1]).toBe(0);
  expect(() => fitSlopes([observe(1, 1), observe(2, 2)])).toThrow('do not tell the slopes apart');
});
