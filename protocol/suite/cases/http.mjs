import assert from 'node:assert/strict';
import { DIALECTS, RawClient } from '../raw-client.mjs';
import { durableChannel, numbers, position } from '../world.mjs';

const [json, msgpack] = DIALECTS;

async function call(target, path, body) {
  const response = await fetch(new URL(path, target.http), {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, `${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** These need `http` and `key`. */
export const http = [
  {
    name: 'an HTTP publish reaches both dialects at the position it was answered with',
    async run(target) {
      const channel = durableChannel(target);
      const clients = [await RawClient.connect(target, json), await RawClient.connect(target, msgpack)];
      for (const client of clients) await client.ask({ type: 'subscribe', channel }, 'subscribed');
      const body = `{"channel":"${channel}","data":{"file":{"$binary":"AAH/"},"n":1.50},"tags":{"a":"b"},"key":"k"}`;
      const published = await call(target, '/v1/publish', body);
      const again = await call(target, '/v1/publish', body);
      assert.deepEqual([again.duplicate, position(again)], [true, position(published)]);
      for (const client of clients) {
        const [message] = await client.messages(channel, 1);
        assert.equal(message.offset, published.offset);
        assert.deepEqual(message.data, { file: new Uint8Array([0, 1, 255]), n: 1.5 });
        assert.deepEqual([message.tags, message.key], [{ a: 'b' }, 'k']);
        await client.quiet();
      }
    },
  },
  {
    name: 'an HTTP batch is stored in its order',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target);
      await client.ask({ type: 'subscribe', channel }, 'subscribed');
      const messages = numbers(1, 200).map((n) => ({ channel, data: { n } }));
      const { results } = await call(target, '/v1/publish', JSON.stringify({ messages }));
      const offsets = numbers(1, 200);
      assert.deepEqual(
        results.map(({ offset }) => offset),
        offsets,
      );
      const received = await client.messages(channel, 200);
      assert.deepEqual(
        received.map(({ offset, data }) => [offset, data.n]),
        offsets.map((n) => [n, n]),
      );
    },
  },
  {
    name: 'HTTP history holds what the socket’s holds',
    async run(target) {
      const channel = durableChannel(target);
      const client = await RawClient.connect(target);
      const data = { file: new Uint8Array([1]) };
      await client.ask({ type: 'publish', channel, data, tags: { a: 'b' } }, 'published');
      const bySocket = await client.ask({ type: 'history', channel }, 'history');
      const byHttp = await call(target, `/v1/history?channel=${encodeURIComponent(channel)}`);
      assert.deepEqual(byHttp.messages, JSON.parse(json.encode(bySocket)).messages);
      assert.deepEqual(byHttp.head, bySocket.head);
    },
  },
];
