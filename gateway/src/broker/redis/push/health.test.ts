import { expect, it } from 'vitest';
import type { ShardConnection } from './connection.js';
import { shardHealth } from './health.js';
import type { VirtualShard } from './virtual-shard.js';

const connection = (
  name: string,
  { link, problem }: { link?: { warning?: string }; problem?: string } = { link: {} },
) => ({ name, link, problem }) as unknown as ShardConnection;
const shard = (of: ShardConnection | undefined, interruptedCount = 0) =>
  ({ connection: of, interruptedCount }) as unknown as VirtualShard;
const noRisk = () => undefined;

it('a master is ok once it serves and all channels on it are subscribed', () => {
  const [one, two] = [connection('one'), connection('two')];
  expect(shardHealth([one, two], [shard(one), shard(two, 3), shard(two, 2)], undefined, noRisk)).toEqual([
    { shard: 'one', state: 'ok' },
    { shard: 'two', state: 'lost', detail: '5 channels are not subscribed again yet' },
  ]);
});

it('one that is not connected is lost, with the reason where there is one', () => {
  const [told, untold] = [connection('told', { problem: 'ECONNREFUSED' }), connection('untold', {})];
  expect(shardHealth([told, untold], [shard(told), shard(untold)], undefined, noRisk)).toEqual([
    { shard: 'told', state: 'lost', detail: 'ECONNREFUSED' },
    { shard: 'untold', state: 'lost', detail: 'not connected' },
  ]);
});

it('one that serves and has something to warn of is ok, and says all of it', () => {
  const one = connection('one', { link: { warning: 'small buffers' } });
  const risk = (master: string) => (master === 'one' ? 'refuses writes' : undefined);
  expect(shardHealth([one], [shard(one)], undefined, risk)).toEqual([
    { shard: 'one', state: 'ok', detail: 'small buffers; refuses writes' },
  ]);
});

it('virtual shards that nobody serves are one part more, lost, with why no master is known', () => {
  const one = connection('one');
  const shards = [shard(one), shard(undefined), shard(undefined)];
  expect(shardHealth([one], shards, 'no majority', noRisk)[1]).toEqual({
    shard: 'unserved',
    state: 'lost',
    detail: '2 of 3 virtual shards: no majority',
  });
  expect(shardHealth([one], shards, undefined, noRisk)[1]?.detail).toMatch(/no master serves their slots/);
});
