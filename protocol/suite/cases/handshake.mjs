import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel } from '../world.mjs';

export const handshake = [
  {
    name: 'connect is answered by connected, with its id',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.open(target, [dialect.subprotocol]);
        assert.equal(client.subprotocol, dialect.subprotocol);
        const connected = await client.ask({ type: 'connect', id: 9007199254740991, client: 'suite' }, 'connected');
        assert.ok(connected.session.length > 0 && connected.node.length > 0);
        assert.ok(connected.ping > 0 && connected.maxFrame > 0 && connected.idempotencyMs > 0);
      }
    },
  },
  {
    name: 'no subprotocol means JSON',
    async run(target) {
      const client = await RawClient.open(target, []);
      assert.equal(client.subprotocol, '');
      await client.ask({ type: 'connect' }, 'connected');
    },
  },
  {
    name: 'the first subprotocol that the gateway knows is taken',
    async run(target) {
      const [json, msgpack] = DIALECTS;
      for (const dialect of [json, msgpack]) {
        const other = dialect === json ? msgpack : json;
        const offered = ['fanfare.other.v9', dialect.subprotocol, other.subprotocol];
        const client = await RawClient.open(target, offered);
        client.dialect = dialect;
        assert.equal(client.subprotocol, dialect.subprotocol);
        await client.ask({ type: 'connect' }, 'connected');
      }
    },
  },
  {
    name: 'subprotocols that are all unknown close with 4404',
    async run(target) {
      const client = await RawClient.open(target, ['fanfare.other.v9', 'fanfare.json.v0']);
      assert.equal((await client.closedWithin()).code, 4404);
      assert.deepEqual(client.frames, []);
    },
  },
  {
    name: 'two connections have two sessions',
    async run(target) {
      const [one, two] = [await RawClient.connect(target), await RawClient.connect(target)];
      assert.notEqual(one.connected.session, two.connected.session);
    },
  },
  {
    name: 'any other first frame closes with 4400',
    async run(target) {
      for (const dialect of DIALECTS) {
        for (const frame of [{ type: 'subscribe', id: 1, channel: durableChannel(target) }, { type: 'pong' }]) {
          const client = await RawClient.open(target, [dialect.subprotocol]);
          client.send(frame);
          assert.equal((await client.closedWithin()).code, 4400);
        }
      }
    },
  },
  {
    name: 'a second connect is a bad_request and changes nothing',
    async run(target) {
      const client = await RawClient.connect(target);
      await client.refused({ type: 'connect' }, 'bad_request');
      await client.ask({ type: 'subscribe', channel: durableChannel(target) }, 'subscribed');
    },
  },
  {
    name: 'frames right behind connect are handled in order, once it is accepted',
    async run(target) {
      for (const dialect of DIALECTS) {
        const channel = durableChannel(target);
        const client = await RawClient.open(target, [dialect.subprotocol]);
        client.send({ type: 'connect', id: 1 });
        client.send({ type: 'publish', id: 2, channel, data: 'first' });
        client.send({ type: 'publish', id: 3, channel, data: 'second' });
        client.send({ type: 'wave', id: 4 });
        const first = await client.take();
        assert.deepEqual([first.type, first.id], ['connected', 1]);
        const published = [await client.take(({ id }) => id === 2), await client.take(({ id }) => id === 3)];
        assert.deepEqual(
          published.map(({ type, offset }) => [type, offset]),
          [
            ['published', 1],
            ['published', 2],
          ],
        );
        assert.equal((await client.take(({ id }) => id === 4)).code, 'bad_request');
      }
    },
  },
  {
    name: 'a client that closes with 1000 gets its close frame back',
    async run(target) {
      const client = await RawClient.connect(target);
      client.close(1000);
      assert.equal((await client.closedWithin()).code, 1000);
    },
  },
];
