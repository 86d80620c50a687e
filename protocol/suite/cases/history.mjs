import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel, liveChannel, numbers, position, publishMany } from '../world.mjs';

const COUNT = 25;

async function logOf(target, dialect) {
  const channel = durableChannel(target);
  const client = await RawClient.connect(target, dialect);
  return { channel, client, positions: await publishMany(client, channel, COUNT) };
}

const offsets = ({ messages }) => messages.map(({ offset }) => offset);

export const history = [
  {
    name: 'without a position it holds the newest messages, oldest first',
    async run(target) {
      for (const dialect of DIALECTS) {
        const { channel, client, positions } = await logOf(target, dialect);
        const reply = await client.ask({ type: 'history', channel, limit: 3 }, 'history');
        assert.deepEqual([reply.channel, reply.more], [channel, true]);
        assert.deepEqual(reply.messages.map(position), positions.slice(-3));
        assert.deepEqual(
          reply.messages.map(({ data }) => data),
          [23, 24, 25].map((n) => ({ n })),
        );
        const all = await client.ask({ type: 'history', channel }, 'history');
        assert.deepEqual([offsets(all), all.more], [numbers(1, COUNT), false]);
      }
    },
  },
  {
    name: 'pages after a position reach the end without a hole',
    async run(target) {
      const { channel, client, positions } = await logOf(target);
      const seen = [];
      let after = positions[4];
      for (let more = true; more; ) {
        const page = await client.ask({ type: 'history', channel, after, limit: 6 }, 'history');
        assert.ok(page.messages.length > 0 && page.messages.length <= 6);
        seen.push(...offsets(page));
        after = position(page.messages.at(-1));
        more = page.more;
      }
      assert.deepEqual(seen, numbers(6, COUNT));
      const end = await client.ask({ type: 'history', channel, after: positions[COUNT - 1] }, 'history');
      assert.deepEqual([end.messages, end.more], [[], false]);
    },
  },
  {
    name: 'pages before a position reach the start without a hole',
    async run(target) {
      const { channel, client, positions } = await logOf(target);
      const seen = [];
      let before = positions[COUNT - 1];
      for (let more = true; more; ) {
        const page = await client.ask({ type: 'history', channel, before, limit: 7 }, 'history');
        seen.unshift(...offsets(page));
        before = position(page.messages[0]);
        more = page.more;
      }
      assert.deepEqual(seen, numbers(1, COUNT - 1));
    },
  },
  {
    name: 'head is where the log ends: a subscribe since then is given what follows, also where the log was empty',
    async run(target) {
      const channel = durableChannel(target);
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        const { messages, head } = await client.ask({ type: 'history', channel, limit: 1 }, 'history');
        assert.equal(head.offset, messages.at(-1)?.offset ?? 0);
        const [next] = await publishMany(client, channel, 1);
        const joined = await client.ask({ type: 'subscribe', channel, since: head }, 'subscribed');
        assert.deepEqual([joined.recovered, joined.offset], [true, head.offset]);
        const [message] = await client.messages(channel, 1);
        assert.equal(message.offset, next.offset);
        const older = await client.ask({ type: 'history', channel, before: next, limit: 1 }, 'history');
        assert.deepEqual(older.head, next);
      }
    },
  },
  {
    name: 'items have what the messages had',
    async run(target) {
      const channel = durableChannel(target);
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        await client.ask({ type: 'subscribe', channel }, 'subscribed');
        const data = { file: new Uint8Array([1, 2, 255]) };
        const { epoch } = await client.ask(
          { type: 'publish', channel, data, key: dialect.name, tags: { a: 'b' } },
          'published',
        );
        const [{ type: _, channel: __, ...message }] = await client.messages(channel, 1);
        assert.deepEqual(message.data, data);
        const { messages } = await client.ask({ type: 'history', channel, limit: 1 }, 'history');
        assert.deepEqual(messages, [{ epoch, ...message }]);
      }
    },
  },
  {
    name: 'a position that cannot be used, and a live channel, are a bad_request',
    async run(target) {
      const { channel, client, positions } = await logOf(target);
      await client.refused({ type: 'history', channel, after: { epoch: '1', offset: 1 } }, 'bad_request');
      await client.refused({ type: 'history', channel, before: { epoch: '1', offset: 1 } }, 'bad_request');
      const beyond = { epoch: positions[0].epoch, offset: 1000 };
      await client.refused({ type: 'history', channel, after: beyond }, 'bad_request');
      await client.refused({ type: 'history', channel: liveChannel(target) }, 'bad_request');
    },
  },
];
