/** The SDK against real gateways: what it promises across cuts, slow reading, drains and restarts. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  type ClientOptions,
  createClient,
  type DurableMessage,
  type LaggedEvent,
  type ResetEvent,
  type StateChange,
  type Subscription,
} from '@fanfare/client';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { SdkWire } from '../support/sdk-wire.js';

const DIALECTS = [jsonDialect, msgpackDialect];
const PATIENCE = { timeout: 60_000 };
const BACKOFF = { baseMs: 50, maxMs: 400 };

const durable = () => `demo:${randomUUID()}`;
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A client that ends with the test, and the wire in its way. */
function connect(gateway: GatewayProcess, options: Partial<ClientOptions> = {}) {
  const wire = new SdkWire();
  const client = createClient({ url: gateway.wsUrl, backoff: BACKOFF, socket: wire.socket, ...options });
  onTestFinished(() => client.close());
  const states: StateChange[] = [];
  client.on('state', (change) => states.push(change));
  client.connect();
  return { client, wire, states };
}

/** What a subscription is given. */
function record<T>(subscription: Subscription<T>) {
  const messages: DurableMessage<T>[] = [];
  const resets: ResetEvent[] = [];
  const lags: LaggedEvent[] = [];
  subscription.on('message', (message) => messages.push(message as DurableMessage<T>));
  subscription.on('reset', (reset) => resets.push(reset));
  subscription.on('lagged', (lag) => lags.push(lag));
  return { subscription, messages, resets, lags, data: () => messages.map(({ data }) => data) };
}

/** Nothing was lost, and it was the gateway that kept it so: the SDK had nothing to mend. */
function expectNothingMended({ stats }: Client): void {
  expect(stats).toMatchObject({ gaps: 0, duplicatesDropped: 0, resets: 0 });
}

/** Through the HTTP API, in batches, one after the other. */
async function publish(gateway: GatewayProcess, channel: string, items: readonly unknown[]): Promise<void> {
  for (let first = 0; first < items.length; first += 100) {
    const messages = items.slice(first, first + 100).map((data) => ({ channel, data }));
    const { status, body } = await gateway.publish({ messages });
    expect(status).toBe(200);
    expect(JSON.stringify(body)).not.toContain('error');
  }
}

async function metric(gateway: GatewayProcess, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)`, 'm').exec(text)?.[1]);
}

describe.each(['uws', 'ws'])('the SDK with a gateway on %s', (transport) => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess({
      settings: { TRANSPORT: transport, LIMIT_MESSAGE_BYTES: '32768', LIMIT_BUFFERED_BYTES: '65536' },
      file: {
        namespaces: {
          demo: { subscribe: 'anyone', publish: 'anyone', history: { size: 5000 } },
          tiny: { subscribe: 'anyone', publish: 'anyone', history: { size: 5 } },
          live: { subscribe: 'anyone', publish: 'anyone', durable: false },
        },
      },
    });
  });
  afterAll(() => gateway?.stop());

  it.each(DIALECTS)('misses nothing when its socket is cut again and again ($name)', async (codec) => {
    const { client, wire } = connect(gateway, { codec });
    const channel = durable();
    const reader = record(client.channel<number>(channel).subscribe());
    await reader.subscription.ready();
    const publishing = (async () => {
      for (const n of numbers(1, 200)) {
        await publish(gateway, channel, [n]);
        await sleep(4);
      }
    })();
    for (let cuts = 1; cuts <= 4; cuts++) {
      await expect.poll(() => reader.messages.length, PATIENCE).toBeGreaterThan(cuts * 30);
      wire.cut();
      await expect.poll(() => wire.opened, PATIENCE).toBe(cuts + 1);
    }
    await publishing;
    await expect.poll(() => reader.messages.length, PATIENCE).toBeGreaterThanOrEqual(200);
    expect(reader.data()).toEqual(numbers(1, 200));
    expect(reader.messages.map(({ offset }) => offset)).toEqual(numbers(1, 200));
    expect(client.stats).toMatchObject({ reconnects: 4, recovered: 4 });
    expectNothingMended(client);
  });

  it.each(DIALECTS)('goes on where another client stopped, and reads what came before ($name)', async (codec) => {
    const channel = durable();
    await publish(gateway, channel, numbers(1, 250));
    const { client } = connect(gateway, { codec });
    const topic = client.channel<number>(channel);
    const newest = await topic.history();
    expect(newest.messages.map(({ data }) => data)).toEqual(numbers(151, 250));
    expect(newest.more).toBe(true);
    const before = await topic.history({ before: newest.messages[0] as DurableMessage, limit: 200 });
    expect(before.messages.map(({ data }) => data)).toEqual(numbers(1, 150));
    expect(before.more).toBe(false);
    const after = await topic.history({ after: before.messages[9] as DurableMessage, limit: 3 });
    expect(after.messages.map(({ data }) => data)).toEqual([11, 12, 13]);

    const reader = record(topic.subscribe(undefined, { since: before.messages[99] as DurableMessage }));
    await expect.poll(() => reader.messages.length, PATIENCE).toBe(150);
    await publish(gateway, channel, [251]);
    await expect.poll(reader.data, PATIENCE).toEqual(numbers(101, 251));
    expectNothingMended(client);
  });

  it('rewinds by count, by time, and no further than the log goes', async () => {
    const channel = durable();
    await publish(gateway, channel, [1, 2, 3]);
    await sleep(1_000);
    await publish(gateway, channel, [4, 5, 6]);
    const { client } = connect(gateway);
    client.connect();
    await client.ready();
    const { messages } = await client.channel<number>(channel).history();
    const rewound = async (start: { rewind: number } | { rewindMs: number }) => {
      const other = connect(gateway);
      other.client.connect();
      await other.client.ready();
      const { rewindMs } = { rewindMs: undefined, ...start };
      const options = rewindMs === undefined ? start : { rewindMs: Date.now() - rewindMs };
      const reader = record(other.client.channel<number>(channel).subscribe(undefined, options));
      await reader.subscription.ready();
      await expect.poll(() => reader.subscription.position?.offset, PATIENCE).toBe(6);
      return reader.data();
    };
    expect(await rewound({ rewind: 2 })).toEqual([5, 6]);
    expect(await rewound({ rewind: 100 })).toEqual([1, 2, 3, 4, 5, 6]);
    // Half way between the third and the fourth.
    const border = ((messages[2]?.time ?? 0) + (messages[3]?.time ?? 0)) / 2;
    expect(await rewound({ rewindMs: Math.floor(border) })).toEqual([4, 5, 6]);
  });

  it('is told when the log no longer has what it missed', async () => {
    const channel = `tiny:${randomUUID()}`;
    const { client, wire } = connect(gateway);
    const reader = record(client.channel<number>(channel).subscribe());
    await reader.subscription.ready();
    await publish(gateway, channel, [1]);
    await expect.poll(reader.data, PATIENCE).toEqual([1]);
    wire.block();
    await publish(gateway, channel, numbers(2, 2_000));
    wire.open();
    await expect.poll(() => reader.messages.at(-1)?.data, PATIENCE).toBe(2_000);
    expect(reader.resets).toMatchObject([{ reason: 'expired', previous: { offset: 1 } }]);
    const first = (reader.resets[0]?.position.offset ?? 0) + 1;
    expect(reader.data()).toEqual([1, ...numbers(first, 2_000)]);
  });

  it('is fed from the log when it reads too slowly, and told what it missed of a live channel', async () => {
    const channel = durable();
    const live = `live:${randomUUID()}`;
    const { client, wire } = connect(gateway);
    const reader = record(client.channel<string>(channel).subscribe());
    const passing = record(client.channel<string>(live).subscribe());
    await Promise.all([reader.subscription.ready(), passing.subscription.ready()]);
    const witness = connect(gateway);
    const unharmed = record(witness.client.channel<string>(channel).subscribe());
    await unharmed.subscription.ready();
    wire.freeze();
    const before = await metric(gateway, 'fanfare_lagged_total');
    let published = 0;
    // The witness may lag as well, on a busy machine, and knows of it.
    while ((await metric(gateway, 'fanfare_lagged_total')) - before === unharmed.lags.length) {
      await publish(
        gateway,
        channel,
        numbers(published + 1, published + 20).map((n) => `${n} ${'.'.repeat(30_000)}`),
      );
      published += 20;
      await expect.poll(() => unharmed.messages.length, PATIENCE).toBe(published);
    }
    await publish(gateway, live, ['missed']);
    await publish(gateway, channel, [`${++published} after`]);
    await expect.poll(() => unharmed.messages.length, PATIENCE).toBe(published);
    wire.thaw();
    await expect.poll(() => reader.messages.length, PATIENCE).toBeGreaterThanOrEqual(published);
    expect(reader.data().map((text) => Number(text.split(' ')[0]))).toEqual(numbers(1, published));
    expect(reader.lags).toEqual([{ missed: false }]);
    expect(passing.lags).toEqual([{ missed: true }]);
    await passing.subscription.ready();
    await publish(gateway, live, ['seen']);
    await expect.poll(passing.data, PATIENCE).toEqual(['seen']);
    expect(client.stats.reconnects).toBe(0);
    expectNothingMended(client);
    expectNothingMended(witness.client);
  });

  it('stores a publish once, though the answer to it was cut', async () => {
    const channel = durable();
    const { client, wire } = connect(gateway);
    const reader = record(connect(gateway).client.channel<string>(channel).subscribe());
    client.connect();
    await Promise.all([client.ready(), reader.subscription.ready()]);
    const topic = client.channel<string>(channel);
    const first = await topic.publish('first', { key: 'k' });
    expect(await topic.publish('again', { key: 'k' })).toEqual({ ...first, duplicate: true });
    wire.freeze();
    const publishing = topic.publish('second');
    await expect.poll(reader.data, PATIENCE).toEqual(['first', 'second']);
    wire.cut();
    expect(await publishing).toMatchObject({ offset: 2, duplicate: true });
    await topic.publish('third');
    await expect.poll(reader.data, PATIENCE).toEqual(['first', 'second', 'third']);
  });

  it('publishes in order what was published while it was away', async () => {
    const channel = durable();
    const { client, wire } = connect(gateway);
    const reader = record(connect(gateway).client.channel<number>(channel).subscribe());
    client.connect();
    await Promise.all([client.ready(), reader.subscription.ready()]);
    wire.block();
    const publishes = numbers(1, 50).map((n) => client.channel<number>(channel).publish(n));
    await sleep(200);
    expect(reader.data()).toEqual([]);
    wire.open();
    expect((await Promise.all(publishes)).map(({ offset }) => offset)).toEqual(numbers(1, 50));
    await expect.poll(reader.data, PATIENCE).toEqual(numbers(1, 50));
  });

  it('waits in the log for a loop that is slow', async () => {
    const channel = durable();
    const { client } = connect(gateway, { maxQueue: 20 });
    const subscription = client.channel<number>(channel).subscribe();
    await subscription.ready();
    await publish(gateway, channel, numbers(1, 500));
    await expect.poll(() => subscription.state, PATIENCE).toBe('paused');
    const seen: number[] = [];
    for await (const { data } of subscription) {
      seen.push(data);
      if (data % 50 === 0) await sleep(20);
      if (data === 500) break;
    }
    expect(seen).toEqual(numbers(1, 500));
    expect(client.stats).toMatchObject({ gaps: 0, resets: 0 });
  });
});

describe.each(['uws', 'ws'])('a gateway on %s that ends', (transport) => {
  const start = (port = 0) => startGatewayProcess({ port, settings: { TRANSPORT: transport } });
  const connectMany = async (gateway: GatewayProcess, channel: string, count: number) => {
    const all = numbers(1, count).map((n) => {
      const one = connect(gateway, { codec: DIALECTS[n % 2] ?? jsonDialect });
      return { ...one, reader: record(one.client.channel<string>(channel).subscribe()) };
    });
    await Promise.all(all.map(({ reader }) => reader.subscription.ready()));
    return all;
  };

  it('sends its clients elsewhere, spread over time, when it is asked to end', async () => {
    const gateway = await start();
    const all = await connectMany(gateway, durable(), 20);
    await gateway.signal('SIGTERM');
    expect(await gateway.exited).toEqual([0, null]);
    const ends = all.map(({ states }) => states.find(({ state }) => state === 'waiting'));
    for (const end of ends) {
      expect(end).toMatchObject({ code: 4000 });
      expect(end?.retryInMs).toBe((JSON.parse(end?.reason ?? '') as { retryAfter: number }).retryAfter);
    }
    const delays = ends.map((end) => end?.retryInMs ?? 0);
    expect(new Set(delays).size).toBeGreaterThan(10);
    // One in each twentieth of `drainMs`.
    expect(delays.sort((a, b) => a - b).map((delay) => Math.min(19, Math.floor(delay / 100)))).toEqual(numbers(0, 19));
  });

  it('killed and started again without its log, tells everyone, and goes on', async () => {
    const first = await start();
    const channel = durable();
    const all = await connectMany(first, channel, 20);
    await publish(first, channel, ['one', 'two']);
    for (const { reader } of all) await expect.poll(reader.data, PATIENCE).toEqual(['one', 'two']);
    await first.signal('SIGKILL');
    const second = await start(first.port);
    onTestFinished(() => second.stop());
    for (const { reader } of all) await expect.poll(() => reader.resets.length, PATIENCE).toBe(1);
    await publish(second, channel, ['three']);
    for (const { client, reader } of all) {
      await expect.poll(reader.data, PATIENCE).toEqual(['one', 'two', 'three']);
      expect(reader.resets).toMatchObject([
        { reason: 'unrecoverable', previous: { offset: 2 }, position: { offset: 0 } },
      ]);
      expect(client.stats).toMatchObject({ gaps: 0, duplicatesDropped: 0, resets: 1 });
    }
  });
});
