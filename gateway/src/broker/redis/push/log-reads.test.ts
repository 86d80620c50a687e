import { expect, it } from 'vitest';
import { systemClock } from '../../../clock.js';
import { formatAddress, type RedisAddress } from '../../../redis/url.js';
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
});
