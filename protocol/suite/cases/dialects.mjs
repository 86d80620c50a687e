import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel, liveChannel, readVectors } from '../world.mjs';

const [json, msgpack, compact] = DIALECTS;

/** Data as its JSON value: -0 is 0, binary is spelled. */
const plain = (data) => JSON.parse(json.encode({ data })).data;

/** The data of every golden publish, in the bytes of one dialect; but for `except`, whose session is none of ours. */
function payloadVectors(dialect) {
  return readVectors('client-frames.json')
    .filter(
      (vector) => vector.frame.type === 'publish' && !vector.frame.except && wireOf(vector, dialect) !== undefined,
    )
    .map((vector) => ({
      name: vector.name,
      wire: wireOf(vector, dialect),
      data: json.decode(JSON.stringify(vector.frame)).data,
    }));
}

/** Its bytes in this dialect, if it has them; clients spell the compact one as they spell JSON. */
function wireOf(vector, dialect) {
  const wire = dialect.binary ? vector.msgpack : vector.json;
  return wire && Buffer.from(wire, dialect.binary ? 'hex' : 'utf8');
}

/** The golden frames are for this channel, which a test gateway may not have. */
const GOLDEN_CHANNEL = 'chat:1';

/** Puts a channel name of the same length into the bytes of a golden frame. */
function readdress(wire, channel) {
  const at = wire.indexOf(GOLDEN_CHANNEL);
  const copy = Buffer.from(wire);
  copy.write(channel, at);
  return copy;
}

/** Publishes the golden payloads in one dialect; all must receive the same data. */
async function replay(target, dialect, channel) {
  const receivers = await Promise.all(DIALECTS.map((one) => RawClient.connect(target, one)));
  for (const receiver of receivers) await receiver.ask({ type: 'subscribe', channel }, 'subscribed');
  const publisher = await RawClient.connect(target, dialect);
  for (const { name, wire, data } of payloadVectors(dialect)) {
    publisher.sendBytes(readdress(wire, channel));
    const reply = await publisher.take(({ id }) => id === 4, `a reply to ${name}`);
    assert.equal(reply.type, 'published', `${name}: ${JSON.stringify(reply)}`);
    // The golden keys are the same in every run.
    if (reply.duplicate) continue;
    for (const receiver of receivers) {
      const [message] = await receiver.messages(channel, 1);
      assert.deepEqual(plain(message.data), plain(data), name);
    }
  }
  for (const receiver of receivers) receiver.close();
}

export const dialects = [
  {
    name: 'golden client frames are understood: none is a bad_request but what the channel forbids',
    async run(target) {
      for (const dialect of DIALECTS) {
        const vectors = readVectors('client-frames.json').filter((vector) => wireOf(vector, dialect) !== undefined);
        for (const vector of vectors.filter(({ frame }) => !['pong', 'presence', 'refresh'].includes(frame.type))) {
          const client = await RawClient.open(target, [dialect.subprotocol]);
          if (vector.frame.type !== 'connect') await client.ask({ type: 'connect' }, 'connected');
          client.sendBytes(wireOf(vector, dialect));
          const reply = await client.take(({ id }) => id === vector.frame.id, `a reply to ${vector.name}`);
          assert.notEqual(reply.code, 'bad_request', `${vector.name}: ${reply.message}`);
          client.close();
        }
      }
    },
  },
  {
    name: 'golden payloads arrive alike in all dialects, from all',
    async run(target) {
      for (const prefix of [target.durable ?? 'demo:', target.live ?? 'live:']) {
        const channel = (prefix + '0'.repeat(GOLDEN_CHANNEL.length)).slice(0, GOLDEN_CHANNEL.length);
        for (const dialect of DIALECTS) await replay(target, dialect, channel);
      }
    },
  },
  {
    name: 'binary from either dialect reaches both, now and by replay',
    async run(target) {
      const data = { file: new Uint8Array(300).map((_, i) => i), list: [new Uint8Array(0)] };
      const channel = durableChannel(target);
      const [one, two] = [await RawClient.connect(target, json), await RawClient.connect(target, msgpack)];
      await one.ask({ type: 'subscribe', channel }, 'subscribed');
      for (const publisher of [one, two]) await publisher.ask({ type: 'publish', channel, data }, 'published');
      await two.ask({ type: 'subscribe', channel, rewind: 2 }, 'subscribed');
      for (const client of [one, two]) {
        for (const message of await client.messages(channel, 2)) assert.deepEqual(message.data, data);
      }
    },
  },
  {
    name: 'JSON reaches JSON to the letter',
    async run(target) {
      for (const channel of [durableChannel(target), liveChannel(target)]) {
        const client = await RawClient.connect(target, json);
        await client.ask({ type: 'subscribe', channel }, 'subscribed');
        const data = '{ "n": 1.0, "big":12345678901234567890,"e":1E+2 ,"a":1,"a":2, "s":"\\u00e9\\/é" }';
        client.sendWire(`{"type":"publish","id":7,"channel":${JSON.stringify(channel)},"data":${data}}`);
        await client.messages(channel, 1);
        const text = client.wires.find((one) => one.includes('"message"'));
        assert.ok(text.includes(`"data":${data}`), text);
      }
    },
  },
  {
    name: 'messages of the compact dialect go by place, their data to the letter',
    async run(target) {
      for (const channel of [durableChannel(target), liveChannel(target)]) {
        const client = await RawClient.connect(target, compact);
        await client.ask({ type: 'subscribe', channel }, 'subscribed');
        const data = '{ "n": 1.0, "big":12345678901234567890 }';
        client.sendWire(`{"type":"publish","id":7,"channel":${JSON.stringify(channel)},"data":${data},"key":"k"}`);
        const [{ offset = 0, time }] = await client.messages(channel, 1);
        const text = client.wires.find((one) => one.startsWith('["'));
        assert.equal(text, `[${JSON.stringify(channel)},${offset},${time},${data},{"key":"k"}]`);
      }
    },
  },
  {
    name: 'times and offsets are integers in MessagePack, not floats',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target, msgpack);
      await client.ask({ type: 'subscribe', channel }, 'subscribed');
      await client.ask({ type: 'publish', channel, data: null }, 'published');
      const [message] = await client.messages(channel, 1);
      const wire = client.wires
        .map((bytes) => Buffer.from(bytes))
        .find((bytes) => bytes.includes('message') && bytes.includes('time'));
      const afterTime = wire[wire.indexOf('time') + 4];
      assert.equal(afterTime, 0xcf, `time ${message.time} has the type byte 0x${afterTime.toString(16)}`);
    },
  },
];
