import type { ReplicasWanted } from '@fanfare/protocol';
import { describe, expect, it } from 'vitest';
import { type ApiHarness, createApiHarness } from '../../test/support/api-harness.js';
import type { ChannelSpec, ReplicasReached } from '../broker/broker.js';
import type { LogRecord, NewMessage } from '../broker/record.js';
import { FanfareError } from '../errors.js';

/** What the log of a channel holds, as text. */
function stored(harness: ApiHarness, channel: string): string[] {
  const policy = harness.namespaces.policy(channel) as ChannelSpec;
  return harness.log.view(policy).entries.map((entry) => Buffer.from(entry.payload.bytes).toString());
}

/** Messages counted as published over HTTP. */
function published({ stats }: ApiHarness) {
  return { durable: stats.publishedDurable.get('http'), live: stats.publishedLive.get('http') };
}

/** A harness whose broker notes each publish, and fails where `fail` says so. */
function watched(fail: (channel: string) => Error | undefined = () => undefined, reached?: ReplicasReached) {
  const calls: { channel: string; count: number; replicas: ReplicasWanted | undefined }[] = [];
  const harness = createApiHarness(({ broker }) => ({
    broker: {
      ...broker,
      publish(channel, messages: readonly NewMessage[], options) {
        calls.push({ channel: channel.name, count: messages.length, replicas: options?.replicas });
        const error = fail(channel.name);
        if (error) return Promise.reject(error);
        const outcomes = broker.publish(channel, messages, options);
        return reached ? outcomes.then((all) => all.map((one) => ({ ...one, reached }))) : outcomes;
      },
    },
  }));
  return { harness, calls };
}

describe('publishing one message', () => {
  it('answers with the position, once it is in the log', async () => {
    const harness = createApiHarness();
    const first = await harness.publish({ channel: 'demo:a', data: { n: 1 } });
    expect(first).toMatchObject({ status: 200, json: { channel: 'demo:a', epoch: expect.any(String), offset: 1 } });
    expect(Object.keys(first.json)).toEqual(['channel', 'epoch', 'offset']);
    const second = await harness.publish({ channel: 'demo:a', data: 2 });
    expect(second.json).toEqual({ ...first.json, offset: 2 });
    expect(published(harness)).toEqual({ durable: 2, live: 0 });
  });

  it('keeps the text of the data, to the letter', async () => {
    const harness = createApiHarness();
    const data = '{ "big": 12345678901234567890, "s":"\\u00e9é", "channel": "no", "data": [1.0] }';
    await harness.publish(`{"data":${data} , "channel":"demo:a"}`);
    expect(stored(harness, 'demo:a')).toEqual([data]);
  });

  it('hands on user-visible fields: key and tags', async () => {
    const harness = createApiHarness();
    const seen: LogRecord[] = [];
    const policy = harness.namespaces.policy('demo:a') as ChannelSpec;
    const ignore = () => undefined;
    await harness.broker.subscribe(policy, {
      onRecord: (record) => seen.push(record),
      onInterrupted: ignore,
      onResumed: ignore,
      onDoubt: ignore,
    });
    await harness.publish({ channel: 'demo:a', data: 1, key: 'k', tags: { a: 'b' } });
    expect(seen).toMatchObject([{ key: 'k', tags: { a: 'b' }, offset: 1 }]);
    expect(seen[0]?.user).toBeUndefined();
  });

  it('answers a repeated key with the first position', async () => {
    const harness = createApiHarness();
    const first = await harness.publish({ channel: 'demo:a', data: 1, key: 'k' });
    const again = await harness.publish({ channel: 'demo:a', data: 2, key: 'k' });
    expect(again.json).toEqual({ ...first.json, duplicate: true });
    expect(stored(harness, 'demo:a')).toEqual(['1']);
    expect(published(harness)).toEqual({ durable: 1, live: 0 });
    expect(harness.stats.duplicates).toBe(1);
  });

  it('gives no position on a live channel', async () => {
    const harness = createApiHarness();
    expect((await harness.publish({ channel: 'live:a', data: null })).json).toEqual({ channel: 'live:a' });
    expect(published(harness)).toEqual({ durable: 0, live: 1 });
  });

  it('says which durability was reached where a replica was asked for', async () => {
    const { harness, calls } = watched();
    const { json } = await harness.publish({ channel: 'demo:a', data: 1, durability: 'replicated' });
    expect(json).toMatchObject({ offset: 1, durability: 'stored', replicas: 0, of: 0 });
    await harness.publish({ channel: 'demo:a', data: 1, durability: 'stored' });
    expect(calls.map((call) => call.replicas)).toEqual(['all', undefined]);
  });

  it.each([
    ['all', 2, 2, 'replicated'],
    ['all', 1, 2, 'stored'],
    ['all', 0, 0, 'stored'],
    [1, 1, 2, 'replicated'],
    [2, 1, 2, 'stored'],
    [3, 2, 2, 'stored'],
  ] as const)('waits for replicas: %s, of which %i of %i have it: %s', async (replicas, count, of, durability) => {
    const { harness, calls } = watched(undefined, { replicas: count, of });
    const { status, json } = await harness.publish({ channel: 'demo:a', data: 1, durability: 'replicated', replicas });
    expect(calls.map((call) => call.replicas)).toEqual([replicas]);
    expect([status, json]).toMatchObject([200, { offset: 1, durability, replicas: count, of }]);
  });

  it.each([
    ['no JSON', '{"channel":', 400, 'bad_request'],
    ['not an object', '[]', 400, 'bad_request'],
    ['nothing', '', 400, 'bad_request'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'bad_request'],
    ['no channel', '{"data":1}', 400, 'bad_request'],
    ['no data', '{"channel":"demo:a"}', 400, 'bad_request'],
    ['two forms', '{"channel":"demo:a","channels":["demo:b"],"data":1}', 400, 'bad_request'],
    ['a channel that is no name', '{"channel":"demo: a","data":1}', 400, 'bad_request'],
    ['a number as channel', '{"channel":7,"data":1}', 400, 'bad_request'],
    ['an empty key', '{"channel":"demo:a","data":1,"key":""}', 400, 'bad_request'],
    ['a key of 129 bytes', `{"channel":"demo:a","data":1,"key":"${'é'.repeat(64)}x"}`, 400, 'bad_request'],
    ['tags that are no texts', '{"channel":"demo:a","data":1,"tags":{"a":1}}', 400, 'bad_request'],
    ['no replicas', '{"channel":"demo:a","data":1,"durability":"replicated","replicas":0}', 400, 'bad_request'],
    ['some replicas', '{"channel":"demo:a","data":1,"durability":"replicated","replicas":"some"}', 400, 'bad_request'],
    ['replicas of what is only stored', '{"channel":"demo:a","data":1,"replicas":1}', 400, 'bad_request'],
    ['replicas beside messages', '{"messages":[],"replicas":1}', 400, 'bad_request'],
    ['another durability', '{"channel":"demo:a","data":1,"durability":"fast"}', 400, 'bad_request'],
    ['data too deep', `{"channel":"demo:a","data":${'['.repeat(129)}${']'.repeat(129)}}`, 400, 'bad_request'],
    ['a namespace that is not configured', '{"channel":"chat:a","data":1}', 404, 'unknown_channel'],
    ['data over the size', `{"channel":"demo:a","data":"${'x'.repeat(65_536)}"}`, 413, 'too_large'],
    ['messages that are none', '{"messages":1}', 400, 'bad_request'],
    ['a channel beside messages', '{"channel":"demo:a","messages":[]}', 400, 'bad_request'],
    ['data beside messages', '{"data":1,"messages":[]}', 400, 'bad_request'],
    ['channels that are none', '{"channels":"demo:a","data":1}', 400, 'bad_request'],
  ])('refuses %s', async (_, body, status, code) => {
    const { harness, calls } = watched();
    const answer = await harness.ask('/v1/publish', { method: 'POST', body });
    expect(answer).toMatchObject({ status, json: { status, code, retryable: false } });
    expect(calls).toEqual([]);
  });

  it('takes data of exactly the size', async () => {
    const harness = createApiHarness();
    expect((await harness.publish({ channel: 'demo:a', data: 'x'.repeat(65_534) })).status).toBe(200);
  });

  it('answers 503 with Retry-After while the channel cannot be served', async () => {
    const { harness } = watched(() => new FanfareError('unavailable', 'the shard is down', { retryAfterMs: 2_500 }));
    const answer = await harness.publish({ channel: 'demo:a', data: 1 });
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '3', 'content-type': 'application/problem+json' },
      json: { code: 'unavailable', retryable: true, retryAfter: 2_500 },
    });
    expect(harness.stats.publishFailures).toEqual(new Map([['unavailable', 1]]));
  });

  it('does not invite a retry where the outcome is unknown', async () => {
    const { harness } = watched(() => new FanfareError('outcome_unknown', 'the reply was lost'));
    const answer = await harness.publish({ channel: 'demo:a', data: 1 });
    expect(answer).toMatchObject({ status: 503, json: { code: 'outcome_unknown', retryable: false } });
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  it('tells nothing of an unforeseen fault but that there was one', async () => {
    const { harness } = watched(() => new Error('secret detail'));
    const answer = await harness.publish({ channel: 'demo:a', data: 1 });
    expect(answer).toMatchObject({ status: 500, json: { code: 'internal', detail: 'internal error' } });
    expect(answer.text).not.toContain('secret');
    expect(harness.faults).toEqual(['publish failed']);
  });
});

describe('publishing a batch', () => {
  it('answers each item at its place, and stores those of a channel in order with one call', async () => {
    const { harness, calls } = watched();
    const { status, json } = await harness.publish({
      messages: [
        { channel: 'demo:a', data: 1 },
        { channel: 'demo:b', data: 'b1' },
        { channel: 'demo:a', data: 2 },
        { channel: 'live:x', data: 3 },
        { channel: 'demo:a', data: 3 },
      ],
    });
    expect(status).toBe(200);
    expect(json.results).toMatchObject([
      { channel: 'demo:a', offset: 1 },
      { channel: 'demo:b', offset: 1 },
      { channel: 'demo:a', offset: 2 },
      { channel: 'live:x' },
      { channel: 'demo:a', offset: 3 },
    ]);
    expect(stored(harness, 'demo:a')).toEqual(['1', '2', '3']);
    expect(calls.map(({ channel, count }) => [channel, count])).toEqual([
      ['demo:a', 3],
      ['demo:b', 1],
      ['live:x', 1],
    ]);
    expect(published(harness)).toEqual({ durable: 4, live: 1 });
  });

  it('does nothing by halves: a bad item has its error, the others their position', async () => {
    const harness = createApiHarness();
    const { status, json } = await harness.publish(
      `{"messages":[{"channel":"demo:a","data":1},7,{"channel":"demo:a"},{"channel":"no:x","data":1},` +
        `{"channel":"demo:a","data":"${'x'.repeat(70_000)}"},{"channel":"demo:a","data":{"$binary":"?"}},{"channel":"demo:a","data":2}]}`,
    );
    expect(status).toBe(200);
    expect(json.results).toMatchObject([
      { offset: 1 },
      { error: { code: 'bad_request', retryable: false, message: expect.any(String) } },
      { error: { code: 'bad_request' } },
      { error: { code: 'unknown_channel' } },
      { error: { code: 'too_large' } },
      { error: { code: 'bad_request' } },
      { offset: 2 },
    ]);
    expect(stored(harness, 'demo:a')).toEqual(['1', '2']);
  });

  it('takes a key that repeats inside it as a duplicate', async () => {
    const harness = createApiHarness();
    const item = { channel: 'demo:a', data: 1, key: 'k' };
    const { json } = await harness.publish({ messages: [item, item] });
    expect(json.results).toMatchObject([{ offset: 1 }, { offset: 1, duplicate: true }]);
    expect(stored(harness, 'demo:a')).toEqual(['1']);
  });

  it('fails the items of a channel that is down, and no others', async () => {
    const { harness } = watched((channel) =>
      channel === 'demo:down' ? new FanfareError('unavailable', 'the shard is down') : undefined,
    );
    const { status, json } = await harness.publish({
      messages: [
        { channel: 'demo:down', data: 1 },
        { channel: 'demo:up', data: 1 },
        { channel: 'demo:down', data: 2 },
      ],
    });
    const down = { error: { code: 'unavailable', message: 'the shard is down', retryable: true, retryAfter: 1_000 } };
    expect([status, json.results]).toMatchObject([200, [down, { offset: 1 }, down]]);
    expect(harness.stats.publishFailures.get('unavailable')).toBe(2);
  });

  it('waits for what any of the items asks, and tells each whether it has what it asked for', async () => {
    const { harness, calls } = watched(undefined, { replicas: 2, of: 3 });
    const { json } = await harness.publish({
      messages: [
        { channel: 'demo:a', data: 1 },
        { channel: 'demo:a', data: 2, durability: 'replicated', replicas: 1 },
        { channel: 'demo:a', data: 3, durability: 'replicated', replicas: 3 },
        { channel: 'demo:b', data: 4, durability: 'replicated', replicas: 1 },
        { channel: 'demo:b', data: 5, durability: 'replicated' },
      ],
    });
    const [first, ...others] = json.results as Record<string, unknown>[];
    expect(Object.keys(first as object)).toEqual(['channel', 'epoch', 'offset']);
    expect(others.map(({ durability }) => durability)).toEqual(['replicated', 'stored', 'replicated', 'stored']);
    expect(others).toMatchObject(others.map(() => ({ replicas: 2, of: 3 })));
    expect(calls).toEqual([
      { channel: 'demo:a', count: 3, replicas: 3 },
      { channel: 'demo:b', count: 2, replicas: 'all' },
    ]);
  });

  it('takes 1000 items, not 1001, and an empty one', async () => {
    const harness = createApiHarness();
    const items = (count: number) => ({ messages: Array(count).fill({ channel: 'demo:a', data: 1 }) });
    expect((await harness.publish(items(1000))).json.results).toHaveLength(1000);
    expect(await harness.publish(items(1001))).toMatchObject({ status: 400, json: { code: 'bad_request' } });
    expect((await harness.publish(items(0))).json).toEqual({ results: [] });
  });
});

describe('publishing to many channels', () => {
  it('answers each channel on its own', async () => {
    const harness = createApiHarness();
    const { status, json } = await harness.publish({
      channels: ['demo:a', 'no:x', 'demo:b', 7, 'demo:a'],
      data: 'x',
      key: 'k',
    });
    expect(status).toBe(200);
    expect(json.results).toMatchObject([
      { channel: 'demo:a', offset: 1 },
      { error: { code: 'unknown_channel' } },
      { channel: 'demo:b', offset: 1 },
      { error: { code: 'bad_request' } },
      { channel: 'demo:a', offset: 1, duplicate: true },
    ]);
    expect([stored(harness, 'demo:a'), stored(harness, 'demo:b')]).toEqual([['"x"'], ['"x"']]);
  });

  it('refuses what is wrong with all of it at once', async () => {
    const harness = createApiHarness();
    expect(await harness.publish({ channels: ['demo:a'] })).toMatchObject({ status: 400 });
    expect(await harness.publish({ channels: Array(1001).fill('demo:a'), data: 1 })).toMatchObject({ status: 400 });
    expect(stored(harness, 'demo:a')).toEqual([]);
  });
});
