import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel, liveChannel, numbers, position, publishMany } from '../world.mjs';

export const publish = [
  {
    name: 'published tells the position that subscribers see',
    async run(target) {
      for (const dialect of DIALECTS) {
        const channel = durableChannel(target);
        const client = await RawClient.connect(target, dialect);
        const { epoch } = await client.ask({ type: 'subscribe', channel }, 'subscribed');
        const beforeMs = Date.now();
        const published = await client.ask(
          { type: 'publish', channel, data: 'x', tags: { a: 'b' }, key: 'k' },
          'published',
        );
        assert.deepEqual(position(published), { epoch, offset: 1 });
        assert.equal('duplicate' in published, false);
        const [message] = await client.messages(channel, 1);
        const { time, user: _, ...rest } = message;
        assert.deepEqual(rest, { type: 'message', channel, offset: 1, data: 'x', tags: { a: 'b' }, key: 'k' });
        assert.ok(Math.abs(time - beforeMs) < 60_000, `time ${time}`);
      }
    },
  },
  {
    name: 'a key seen before answers with the first position and delivers nothing',
    async run(target) {
      const channel = durableChannel(target);
      const [client, other] = [await RawClient.connect(target), await RawClient.connect(target, DIALECTS[1])];
      await client.ask({ type: 'subscribe', channel }, 'subscribed');
      const request = { type: 'publish', channel, data: 'once', key: 'é'.repeat(64) };
      const first = await client.ask(request, 'published');
      await publishMany(client, channel, 2);
      for (const publisher of [client, other]) {
        const again = await publisher.ask({ ...request, data: 'twice' }, 'published');
        assert.deepEqual([again.duplicate, position(again)], [true, position(first)]);
      }
      assert.deepEqual(
        (await client.messages(channel, 3)).map(({ data }) => data),
        ['once', { n: 1 }, { n: 2 }],
      );
      await client.quiet();
    },
  },
  {
    name: 'the same key twice at once is stored once',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target);
      for (const id of numbers(1, 5)) client.send({ type: 'publish', id, channel, data: id, key: 'same' });
      const replies = [];
      for (const id of numbers(1, 5)) replies.push(await client.take((frame) => frame.id === id));
      assert.deepEqual(
        replies.map(({ offset, duplicate }) => [offset, duplicate ?? false]),
        [1, 2, 3, 4, 5].map((id) => [1, id > 1]),
      );
    },
  },
  {
    name: 'a key counts on its own channel only, however names and keys are put together',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target);
      for (const [name, key] of [
        [channel, 'b:c'],
        [`${channel}:b`, 'c'],
        [`${channel}:b:c`, 'b:c'],
      ]) {
        const published = await client.ask({ type: 'publish', channel: name, key, data: 1 }, 'published');
        assert.equal(published.duplicate, undefined);
      }
    },
  },
  {
    name: 'durability is answered with what was reached',
    async run(target) {
      const client = await RawClient.connect(target);
      const request = { type: 'publish', channel: durableChannel(target), data: 1, durability: 'replicated' };
      const published = await client.ask(request, 'published');
      assert.ok(['stored', 'replicated'].includes(published.durability));
      assert.ok(Number.isInteger(published.replicas));
      assert.ok(published.replicas <= published.of);
    },
  },
  {
    name: 'replicas are a number from 1 on or all, and go with replicated only',
    async run(target) {
      const client = await RawClient.connect(target);
      const request = { type: 'publish', channel: durableChannel(target), data: 1, durability: 'replicated' };
      for (const replicas of [1, 'all', 99]) {
        const { durability, replicas: count, of } = await client.ask({ ...request, replicas }, 'published');
        assert.equal(durability === 'replicated', count >= (replicas === 'all' ? Math.max(1, of) : replicas));
      }
      const refused = [
        { replicas: 0 },
        { replicas: 'some' },
        { replicas: 1, durability: 'stored' },
        { replicas: 1, durability: undefined },
      ];
      for (const wrong of refused) await client.refused({ ...request, ...wrong }, 'bad_request');
    },
  },
  {
    name: 'every reply carries the id of its request, once',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        const [durable, live] = [durableChannel(target), liveChannel(target)];
        const requests = [
          [{ type: 'subscribe', channel: durable }, 'subscribed'],
          [{ type: 'subscribe', channel: live }, 'subscribed'],
          [{ type: 'publish', channel: durable, data: 1 }, 'published'],
          [{ type: 'history', channel: durable }, 'history'],
          [{ type: 'history', channel: live }, 'error'],
          [{ type: 'wave' }, 'error'],
          [{ type: 'publish', channel: live, data: 1 }, 'published'],
          [{ type: 'unsubscribe', channel: live }, 'unsubscribed'],
        ];
        const ids = requests.map((_, i) => 2 ** 40 + 3 * i);
        requests.forEach(([frame], i) => {
          client.send({ ...frame, id: ids[i] });
        });
        for (const [i, [frame, type]] of requests.entries()) {
          const reply = await client.take(({ id }) => id === ids[i], `a reply to ${frame.type}`);
          assert.equal(reply.type, type);
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.deepEqual(
          client.frames.filter(({ id }) => id !== undefined),
          [],
        );
      }
    },
  },
  {
    name: 'presence and refresh are answered',
    async run(target) {
      const client = await RawClient.connect(target);
      const presence = await client.request({ type: 'presence', channel: durableChannel(target) });
      assert.ok(presence.type === 'presence' || presence.type === 'error');
      const refreshed = await client.request({ type: 'refresh', token: 'no.such.token' });
      assert.ok(refreshed.type === 'refreshed' || refreshed.type === 'error');
    },
  },
  {
    name: 'what is sent without waiting takes effect in order: subscribe, publish, history',
    async run(target) {
      for (const dialect of DIALECTS) {
        for (const channel of [durableChannel(target), liveChannel(target)]) {
          const client = await RawClient.open(target, [dialect.subprotocol]);
          client.send({ type: 'connect', id: 1 });
          client.send({ type: 'subscribe', id: 2, channel });
          for (const n of [1, 2, 3]) client.send({ type: 'publish', id: 2 + n, channel, data: { n } });
          client.send({ type: 'history', id: 6, channel });
          const messages = await client.messages(channel, 3);
          assert.deepEqual(
            messages.map(({ data }) => data.n),
            [1, 2, 3],
          );
          const history = await client.take(({ id }) => id === 6);
          if (history.type === 'history') assert.equal(history.messages.length, 3);
          else assert.equal(history.code, 'bad_request'); // a live channel has none
        }
      }
    },
  },
  {
    name: 'durability is answered with what was reached; a live channel has none',
    async run(target) {
      const client = await RawClient.connect(target);
      const channel = durableChannel(target);
      const stored = await client.ask({ type: 'publish', channel, data: 1, durability: 'stored' }, 'published');
      assert.equal(stored.durability, 'stored');
      const replicated = await client.ask({ type: 'publish', channel, data: 1, durability: 'replicated' }, 'published');
      assert.ok(['stored', 'replicated'].includes(replicated.durability));
      assert.equal(typeof replicated.replicas, 'number');
      const live = liveChannel(target);
      const pushed = await client.ask(
        { type: 'publish', channel: live, data: 1, durability: 'replicated' },
        'published',
      );
      assert.equal('durability' in pushed, false);
    },
  },
  {
    name: 'a client that excepts itself gets all but that message; it cannot except others',
    async run(target) {
      for (const dialect of DIALECTS) {
        for (const channel of [durableChannel(target), liveChannel(target)]) {
          const [client, other] = [await RawClient.connect(target, dialect), await RawClient.connect(target, dialect)];
          for (const one of [client, other]) await one.ask({ type: 'subscribe', channel }, 'subscribed');
          const request = { type: 'publish', channel, data: 'own', except: client.connected.session };
          await other.refused(request, 'forbidden');
          await client.ask(request, 'published');
          await client.ask({ type: 'publish', channel, data: 'all' }, 'published');
          const dataOf = async (one, count) => (await one.messages(channel, count)).map(({ data }) => data);
          assert.deepEqual(await dataOf(other, 2), ['own', 'all']);
          assert.deepEqual(await dataOf(client, 1), ['all']);
        }
      }
    },
  },
];
