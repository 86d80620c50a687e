import { expect, it } from 'vitest';
import type { Clock } from '../../../clock.js';
import type { PublishOutcome } from '../../broker.js';
import { type Batch, type Publish, PublishLane } from './lane.js';

const CHANNEL = { name: 'a', durable: true, historySize: 10, historyTtlMs: 1000 };

let now = 1000;
const clock: Clock = {
  now: () => now,
  wall: () => now,
  after: () => () => {},
  soon: () => {},
  random: () => 0,
};

const WAITS = { clock, backoff: { minMs: 100, maxMs: 1000 } };

function publish(text: string, rest: Partial<Publish> = {}): Publish & { outcome?: PublishOutcome } {
  const one: Publish & { outcome?: PublishOutcome } = {
    body: Buffer.from(text),
    replicas: undefined,
    giveUpAt: 5000,
    mayBeDone: false,
    settle: (outcome) => {
      one.outcome = outcome;
    },
    ...rest,
  };
  return one;
}

function laneOf(...publishes: Publish[]): PublishLane {
  const lane = new PublishLane(CHANNEL);
  for (const one of publishes) lane.add(one);
  return lane;
}

const texts = ({ publishes }: Batch) => publishes.map(({ body }) => body.toString().slice(0, 1));

it('takes what waits together, up to 1000 messages', () => {
  const lane = laneOf(...Array.from({ length: 1500 }, () => publish('a')));
  expect([lane.begin().publishes.length, lane.begin().publishes.length, lane.isEmpty]).toEqual([1000, 500, true]);
});

it('takes about a megabyte, and a larger message alone', () => {
  const big = (letter: string, bytes: number) => publish(letter.repeat(bytes));
  const lane = laneOf(big('a', 600_000), big('b', 400_000), big('c', 400_000), big('d', 3_000_000), big('e', 1));
  expect([lane.begin(), lane.begin(), lane.begin(), lane.begin()].map(texts)).toEqual([
    ['a', 'b'],
    ['c'],
    ['d'],
    ['e'],
  ]);
});

it('does not mix stored and replicated messages, nor change their order', () => {
  const replicated = { replicas: 'all' } as const;
  const lane = laneOf(publish('a'), publish('b', replicated), publish('c', replicated), publish('d'));
  expect(lane.isReplicated).toBe(false);
  expect([lane.begin(), lane.begin(), lane.begin()].map(texts)).toEqual([['a'], ['b', 'c'], ['d']]);
});

it('puts what failed in front of what came meanwhile, and waits longer each time', () => {
  const lane = laneOf(publish('a'), publish('b'));
  const batch = lane.begin();
  lane.add(publish('c'));
  lane.failed(batch.publishes, new Error('down'), { isSoon: false }, WAITS);
  expect(lane.retryAt).toBe(now + 100);
  expect(texts(lane.begin())).toEqual(['a', 'b', 'c']);
});

it('goes at once where it was told to go elsewhere, but not for ever', () => {
  const lane = laneOf(publish('a'));
  const isSoon = Array.from({ length: 6 }, () => {
    lane.failed(lane.begin().publishes, new Error('MOVED'), { isSoon: true }, WAITS);
    return lane.retryAt === now;
  });
  expect(isSoon).toEqual([true, true, true, true, false, false]);
  lane.succeeded();
  lane.failed([publish('a')], new Error('MOVED'), { isSoon: true }, WAITS);
  expect(lane.retryAt).toBe(now);
});

it('gives up what is too old, and does not call undone what may be done', () => {
  const old = publish('a', { giveUpAt: 2000 });
  const unsure = publish('b', { giveUpAt: 2000, mayBeDone: true });
  const young = publish('c', { giveUpAt: 9000 });
  const lane = laneOf(old, unsure, young);
  lane.expire(1999);
  expect(old.outcome).toBeUndefined();
  now = 2000;
  lane.expire(now);
  expect(old.outcome).toMatchObject({ code: 'unavailable', retryable: true });
  expect(unsure.outcome).toMatchObject({ code: 'outcome_unknown' });
  expect(texts(lane.begin())).toEqual(['c']);
});
