import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { assertRun, durableChannel, liveChannel, numbers, position, publishMany } from '../world.mjs';

/** A durable channel with `count` messages, their positions, and a client to ask about it. */
async function published(target, count, dialect = DIALECTS[0]) {
  const channel = durableChannel(target);
  const publisher = await RawClient.connect(target);
  const positions = await publishMany(publisher, channel, count);
  return { channel, publisher, positions, client: await RawClient.connect(target, dialect) };
}

export const subscribe = [
  {
    name: 'subscribed tells a position, and messages run on from it without a hole',
    async run(target) {
      for (const dialect of DIALECTS) {
        const { channel, publisher, positions, client } = await published(target, 3, dialect);
        const subscribed = await client.ask({ type: 'subscribe', channel }, 'subscribed');
        assert.equal(subscribed.durable, true);
        assert.deepEqual(position(subscribed), positions[2]);
        assert.equal('recovered' in subscribed, false);
        await publishMany(publisher, channel, 50, 4);
        assertRun(await client.messages(channel, 50), numbers(4, 53), 3);
        await client.quiet();
      }
    },
  },
  {
    name: 'a channel to which nobody ever published has a position too, from which nothing is missed',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target);
      const subscribed = await client.ask({ type: 'subscribe', channel }, 'subscribed');
      assert.equal(subscribed.offset, 0);
      await client.ask({ type: 'unsubscribe', channel }, 'unsubscribed');
      await publishMany(client, channel, 2);
      const again = await client.ask({ type: 'subscribe', channel, since: position(subscribed) }, 'subscribed');
      assert.deepEqual([again.recovered, again.offset], [true, 0]);
      assertRun(await client.messages(channel, 2), [1, 2], 0);
    },
  },
  {
    name: 'since replays what came after the position',
    async run(target) {
      for (const dialect of DIALECTS) {
        const { channel, publisher, positions, client } = await published(target, 10, dialect);
        const subscribed = await client.ask({ type: 'subscribe', channel, since: positions[3] }, 'subscribed');
        assert.equal(subscribed.recovered, true);
        assert.deepEqual(position(subscribed), positions[3]);
        await publishMany(publisher, channel, 3, 11);
        assertRun(await client.messages(channel, 9), numbers(5, 13), 4);
        await client.quiet();
      }
    },
  },
  {
    name: 'since the newest message replays nothing',
    async run(target) {
      const { channel, positions, client } = await published(target, 2);
      const subscribed = await client.ask({ type: 'subscribe', channel, since: positions[1] }, 'subscribed');
      assert.deepEqual([subscribed.recovered, position(subscribed)], [true, positions[1]]);
      await client.quiet();
    },
  },
  {
    name: 'since an epoch that the log does not know is unrecoverable, and stands at the head',
    async run(target) {
      const { channel, publisher, positions, client } = await published(target, 3);
      for (const epoch of ['1', 'no-number', `${'9'.repeat(64)}`]) {
        const subscribed = await client.ask({ type: 'subscribe', channel, since: { epoch, offset: 1 } }, 'subscribed');
        assert.deepEqual([subscribed.recovered, subscribed.reason], [false, 'unrecoverable'], epoch);
        assert.deepEqual(position(subscribed), positions[2]);
      }
      await publishMany(publisher, channel, 1, 4);
      assertRun(await client.messages(channel, 1), [4], 3);
    },
  },
  {
    name: 'since an offset that the log never had is diverged, and stands at the end',
    async run(target) {
      const { channel, publisher, positions, client } = await published(target, 3);
      const since = { epoch: positions[0].epoch, offset: 1000 };
      const subscribed = await client.ask({ type: 'subscribe', channel, since }, 'subscribed');
      assert.deepEqual([subscribed.recovered, subscribed.reason], [false, 'diverged']);
      assert.deepEqual(position(subscribed), positions[2]);
      await publishMany(publisher, channel, 1, 4);
      assertRun(await client.messages(channel, 1), [4], 3);
    },
  },
  {
    name: 'rewind starts with the last messages, or the oldest',
    async run(target) {
      const { channel, positions, client } = await published(target, 5);
      for (const [rewind, expected] of [
        [2, [4, 5]],
        [5, numbers(1, 5)],
        [1000, numbers(1, 5)],
        [0, []],
      ]) {
        const subscribed = await client.ask({ type: 'subscribe', channel, rewind }, 'subscribed');
        assert.equal(subscribed.offset, 5 - expected.length);
        assert.equal(subscribed.epoch, positions[0].epoch);
        assert.equal('recovered' in subscribed, false);
        assertRun(await client.messages(channel, expected.length), expected, 5 - expected.length);
        await client.ask({ type: 'unsubscribe', channel }, 'unsubscribed');
      }
      await client.quiet();
    },
  },
  {
    name: 'rewindMs starts with the messages of that time',
    async run(target) {
      const { channel, publisher, client } = await published(target, 2);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await publishMany(publisher, channel, 2, 3);
      const { messages } = await publisher.ask({ type: 'history', channel }, 'history');
      const ageMs = Date.now() - messages[2].time;
      await client.ask({ type: 'subscribe', channel, rewindMs: ageMs + 700 }, 'subscribed');
      assertRun(await client.messages(channel, 2), [3, 4], 2);
      await client.ask({ type: 'unsubscribe', channel }, 'unsubscribed');
      const all = await client.ask({ type: 'subscribe', channel, rewindMs: 3_600_000 }, 'subscribed');
      assert.equal(all.offset, 0);
      assertRun(await client.messages(channel, 4), numbers(1, 4), 0);
      await client.quiet();
    },
  },
  {
    name: 'a rewind of thousands arrives whole and in order, with what is published meanwhile',
    async run(target) {
      const { channel, publisher, client } = await published(target, 0);
      const ids = numbers(1, 900);
      for (const n of ids) publisher.send({ type: 'publish', id: n, channel, data: { n } });
      for (const n of ids) await publisher.take(({ id }) => id === n, `published ${n}`);
      await client.ask({ type: 'subscribe', channel, rewind: 900 }, 'subscribed');
      await publishMany(publisher, channel, 20, 901);
      assertRun(await client.messages(channel, 920), numbers(1, 920), 0);
    },
  },
  {
    name: 'subscribing twice is already_subscribed; with since it starts over from there',
    async run(target) {
      const { channel, publisher, positions, client } = await published(target, 4);
      await client.ask({ type: 'subscribe', channel }, 'subscribed');
      await client.refused({ type: 'subscribe', channel }, 'already_subscribed');
      await client.refused({ type: 'subscribe', channel, rewind: 1 }, 'already_subscribed');
      const again = await client.ask({ type: 'subscribe', channel, since: positions[1] }, 'subscribed');
      assert.deepEqual([again.recovered, position(again)], [true, positions[1]]);
      await publishMany(publisher, channel, 1, 5);
      assertRun(await client.messages(channel, 3), [3, 4, 5], 2);
      await client.quiet();
    },
  },
  {
    name: 'nothing follows unsubscribed, and leaving a channel one is not on is answered alike',
    async run(target) {
      const { channel, publisher, client } = await published(target, 1);
      await client.ask({ type: 'unsubscribe', channel }, 'unsubscribed');
      await client.ask({ type: 'subscribe', channel }, 'subscribed');
      const reply = await client.ask({ type: 'unsubscribe', channel }, 'unsubscribed');
      assert.equal(reply.channel, channel);
      await publishMany(publisher, channel, 3, 2);
      await client.quiet();
    },
  },
  {
    name: 'a live channel has no position, and no start',
    async run(target) {
      for (const dialect of DIALECTS) {
        const channel = liveChannel(target);
        const client = await RawClient.connect(target, dialect);
        for (const start of [{ since: { epoch: '1', offset: 1 } }, { rewind: 1 }, { rewindMs: 1000 }]) {
          await client.refused({ type: 'subscribe', channel, ...start }, 'bad_request');
        }
        const { id: _, ...subscribed } = await client.ask({ type: 'subscribe', channel }, 'subscribed');
        assert.deepEqual(subscribed, { type: 'subscribed', channel, durable: false });
        const { id: __, ...published } = await client.ask({ type: 'publish', channel, data: { n: 1 } }, 'published');
        assert.deepEqual(published, { type: 'published', channel });
        const [message] = await client.messages(channel, 1);
        assert.deepEqual(message.data, { n: 1 });
        assert.equal('offset' in message || 'epoch' in message, false);
      }
    },
  },
  {
    name: 'many subscribers see the same messages in the same order, whoever publishes',
    async run(target) {
      const channel = durableChannel(target);
      const clients = await Promise.all(numbers(1, 10).map((i) => RawClient.connect(target, DIALECTS[i % 2])));
      for (const client of clients) await client.ask({ type: 'subscribe', channel }, 'subscribed');
      await Promise.all(clients.map((client, i) => publishMany(client, channel, 10, i * 100)));
      const [first, ...others] = await Promise.all(clients.map((client) => client.messages(channel, 100)));
      assert.deepEqual(
        first.map(({ offset }) => offset),
        numbers(1, 100),
      );
      for (const messages of others) assert.deepEqual(messages, first);
    },
  },
  {
    name: 'channel names keep to their limits',
    async run(target) {
      const client = await RawClient.connect(target);
      const prefix = durableChannel(target);
      const longest = prefix + 'x'.repeat(255 - prefix.length);
      const subscribed = await client.ask({ type: 'subscribe', channel: longest }, 'subscribed');
      assert.equal(subscribed.channel, longest);
      await client.refused({ type: 'subscribe', channel: `${longest}x` }, 'bad_request');
      const wide = `${prefix}é東🗼{}"\\`;
      await client.ask({ type: 'subscribe', channel: wide }, 'subscribed');
      await publishMany(client, wide, 1);
      assert.equal((await client.messages(wide, 1))[0].channel, wide);
    },
  },
];
