import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel, readVectors, unknownChannel } from '../world.mjs';

/** Below the ten that end a connection. */
const PER_CONNECTION = 8;

/** Every vector that must be refused, as `{ name, dialect, wire, id }`. */
function refusedVectors() {
  const [json, msgpack] = DIALECTS;
  const hex = (text) => Buffer.from(text, 'hex');
  return [
    ...readVectors('malformed.json').map(({ name, dialect, text, bytes, id }) => ({
      name: `malformed ${dialect}: ${name}`,
      dialect: dialect === 'json' ? json : msgpack,
      wire: text === undefined ? hex(bytes) : Buffer.from(text),
      id,
    })),
    ...readVectors('invalid.json').flatMap(({ name, json: text, msgpack: bytes, id }) => [
      { name: `invalid json: ${name}`, dialect: json, wire: Buffer.from(text), id },
      { name: `invalid msgpack: ${name}`, dialect: msgpack, wire: hex(bytes), id },
    ]),
  ];
}

/** `ws` and uWebSockets.js end a connection with text that is not UTF-8 themselves (RFC 6455 section 8.1). */
const isUtf8 = ({ wire, dialect }) => dialect.binary || Buffer.from(wire.toString()).equals(wire);

export const malformed = [
  {
    name: 'every vector that must be refused is a bad_request with its id, and the connection goes on',
    async run(target) {
      for (const dialect of DIALECTS) {
        const vectors = refusedVectors().filter((vector) => vector.dialect === dialect && isUtf8(vector));
        for (let i = 0; i < vectors.length; i += PER_CONNECTION) {
          const client = await RawClient.connect(target, dialect);
          for (const { name, wire, id } of vectors.slice(i, i + PER_CONNECTION)) {
            client.sendBytes(wire);
            const reply = await client.take(undefined, `an error for ${name}`);
            assert.deepEqual([reply.type, reply.code, reply.id], ['error', 'bad_request', id], name);
          }
          await client.ask({ type: 'unsubscribe', channel: durableChannel(target) }, 'unsubscribed');
          client.close();
        }
      }
    },
  },
  {
    name: 'a malformed frame before connected closes with 4400',
    async run(target) {
      for (const dialect of DIALECTS) {
        const vectors = refusedVectors().filter((vector) => vector.dialect === dialect && isUtf8(vector));
        for (const { name, wire } of vectors.filter((_, index) => index % 5 === 0)) {
          const client = await RawClient.open(target, [dialect.subprotocol]);
          client.sendBytes(wire);
          assert.equal((await client.closedWithin()).code, 4400, name);
        }
      }
    },
  },
  {
    name: 'text that is not UTF-8 is refused one way or the other',
    async run(target) {
      for (const { wire } of refusedVectors().filter((vector) => !isUtf8(vector))) {
        const client = await RawClient.connect(target);
        client.sendBytes(wire);
        const outcome = await Promise.race([client.closed, client.take()]);
        assert.ok(outcome.code === 'bad_request' || outcome.code === 1006 || outcome.code === 1007, outcome.code);
      }
    },
  },
  {
    name: 'the other kind of WebSocket frame is malformed',
    async run(target) {
      for (const dialect of DIALECTS) {
        const wire = Buffer.from('{"type":"connect","id":1}');
        const client = await RawClient.connect(target, dialect);
        client.sendWire(wire, !dialect.binary);
        assert.equal((await client.take()).code, 'bad_request');
        const early = await RawClient.open(target, [dialect.subprotocol]);
        early.sendWire(wire, !dialect.binary);
        assert.equal((await early.closedWithin()).code, 4400);
      }
    },
  },
  {
    name: 'the tenth malformed frame within a minute closes with 4400',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        for (let i = 0; i < 10; i++) client.sendBytes(Buffer.from('['));
        assert.equal((await client.closedWithin()).code, 4400);
        assert.ok(client.frames.length === 9 || client.frames.length === 10, `${client.frames.length} errors`);
        assert.ok(client.frames.every(({ type, code }) => type === 'error' && code === 'bad_request'));
      }
    },
  },
  {
    name: 'an unknown type is a bad_request, unknown fields are ignored',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        const error = await client.refused({ type: 'wave', new: 1 }, 'bad_request');
        assert.equal(error.retryable, false);
        const channel = durableChannel(target);
        await client.ask({ type: 'subscribe', channel, new: { deep: [1] } }, 'subscribed');
        await client.ask({ type: 'unsubscribe', channel, since: 'not for this type' }, 'unsubscribed');
      }
    },
  },
  {
    name: 'a namespace that is not configured is an unknown_channel',
    async run(target) {
      const client = await RawClient.connect(target);
      const channel = unknownChannel(target);
      await client.refused({ type: 'subscribe', channel }, 'unknown_channel');
      await client.refused({ type: 'publish', channel, data: 1 }, 'unknown_channel');
      await client.refused({ type: 'history', channel }, 'unknown_channel');
    },
  },
  {
    name: 'a message over the limit of its namespace is too_large, and the connection goes on',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        const data = 'x'.repeat(client.connected.maxFrame - 1024);
        const channel = durableChannel(target);
        await client.refused({ type: 'publish', channel, data }, 'too_large');
        await client.ask({ type: 'publish', channel, data: 'small' }, 'published');
      }
    },
  },
  {
    name: 'a frame over maxFrame is too_large; repeated ones close with 4409',
    async run(target) {
      for (const dialect of DIALECTS) {
        const client = await RawClient.connect(target, dialect);
        const frame = {
          type: 'publish',
          id: 5,
          channel: durableChannel(target),
          data: 'x'.repeat(client.connected.maxFrame),
        };
        client.send(frame);
        const error = await client.take(({ type }) => type === 'error');
        assert.deepEqual([error.code, error.id], ['too_large', 5]);
        await client.ask({ type: 'publish', channel: frame.channel, data: 'small' }, 'published');
        for (let i = 0; i < 9; i++) client.send(frame);
        assert.equal((await client.closedWithin()).code, 4409);
      }
    },
  },
  {
    name: 'violations of one kind do not count as those of another',
    async run(target) {
      const client = await RawClient.connect(target);
      const large = { type: 'publish', channel: durableChannel(target), data: 'x'.repeat(client.connected.maxFrame) };
      for (let i = 0; i < 9; i++) await client.refused({ type: 'subscribe', channel: 'not a name' }, 'bad_request');
      await client.refused(large, 'too_large');
      await client.ask({ type: 'publish', channel: large.channel, data: 'small' }, 'published');
      client.send({ type: 'subscribe', id: 1, channel: 'not a name' });
      assert.equal((await client.closedWithin()).code, 4400);
    },
  },
  {
    name: 'a frame over maxFrame before connected closes with 4409',
    async run(target) {
      const { connected } = await RawClient.connect(target);
      const client = await RawClient.open(target);
      client.send({ type: 'connect', id: 1, client: 'x'.repeat(connected.maxFrame) });
      assert.deepEqual(await client.take().then(({ code, id }) => [code, id]), ['too_large', 1]);
      assert.equal((await client.closedWithin()).code, 4409);
    },
  },
  {
    name: 'a frame of more than four times maxFrame ends the connection',
    async run(target) {
      const client = await RawClient.connect(target);
      client.sendWire('x'.repeat(4 * client.connected.maxFrame + 1024));
      const { code } = await client.closedWithin();
      assert.ok(code === 1006 || code === 1009, `closed with ${code}`);
    },
  },
];
