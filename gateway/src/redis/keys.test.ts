import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { channelKeys, pushName, SHARD_COUNT, shardOf, slotOfShard } from './keys.js';

const NAMES = ['chat:1', 'a', 'a:b', 'a{b}c', '{}', '}:c:', '{s1}', 'ff:{s3}:c:x', 'ünï:☃', '😀'];

it('gives every channel of every database a push name of its own, whatever the channel is called', () => {
  for (const name of NAMES) {
    expect(channelKeys(name).push).toBe(pushName(name));
    expect(channelKeys(name, 3).push).toBe(pushName(name, 3));
    for (const db of [0, 3]) expect(pushName(name, db).endsWith(`:${name}`)).toBe(true);
  }
  const names = NAMES.flatMap((name) => [pushName(name), pushName(name, 3)]);
  expect(new Set(names).size).toBe(names.length);
});

it('puts every name of a channel into the slot of its shard', () => {
  const slotOf = createRequire(createRequire(import.meta.url).resolve('ioredis'))('cluster-key-slot') as (
    key: string,
  ) => number;
  for (const name of NAMES) {
    const { shard, log, meta, push, idempotency } = channelKeys(name, 3);
    for (const key of [log, meta, push, `${idempotency}k`]) expect(slotOf(key)).toBe(slotOfShard(shard));
  }
});

it('keeps the idempotency keys of different channels apart', () => {
  expect(`${channelKeys('a:b').idempotency}c`).not.toBe(`${channelKeys('a').idempotency}b:c`);
});

it('keeps the pushes of different databases apart', () => {
  const names = [0, 1, 11].flatMap((db) => ['a', '1:a', ':a'].map((name) => pushName(name, db).slice('ff:{s'.length)));
  expect(new Set(names.map((name) => name.slice(name.indexOf('}')))).size).toBe(names.length);
});

it('does not move channels to other shards from version to version', () => {
  expect(['', 'a', 'foobar'].map(shardOf)).toEqual(
    [0x811c9dc5, 0xe40c292c, 0xbf9cf968].map((hash) => hash % SHARD_COUNT),
  );
});

it('spreads channels over all shards', () => {
  const used = new Set(Array.from({ length: 10_000 }, (_, i) => shardOf(`chat:${i}`)));
  expect(used.size).toBe(SHARD_COUNT);
});
