/** The publisher of backends against real gateways, through a relay that loses answers, and over one that is killed. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { startRedis } from '../../gateway/test/support/redis-servers.js';
import { createClient, defineChannels, durable, live } from '../src/index.js';
import { createPublisher, type Outcome, type PublisherOptions } from '../src/publisher.js';
import { rejectionOf } from './support.js';

const QUICK = { baseMs: 20, maxMs: 100 };

async function startGateway(settings: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings });
  onTestFinished(() => gateway.stop());
  return gateway;
}

async function withGateway(options: Partial<PublisherOptions> = {}) {
  const gateway = await startGateway();
  const publisher = createPublisher({ url: gateway.httpUrl, apiKey: 'dev', backoff: QUICK, ...options });
  return { gateway, publisher };
}

/** The whole log, page by page from its end. */
async function logOf({ httpUrl }: GatewayProcess, channel: string): Promise<unknown[]> {
  const data: unknown[] = [];
  for (let query = '', more = true; more; ) {
    const response = await fetch(`${httpUrl}/v1/history?channel=${channel}&limit=1000${query}`, {
      headers: { authorization: 'Bearer dev' },
    });
    const page = (await response.json()) as {
      messages: { data: unknown; epoch: string; offset: number }[];
      more: boolean;
    };
    data.unshift(...page.messages.map((message) => message.data));
    query = `&before=${page.messages[0]?.epoch}-${page.messages[0]?.offset}`;
    more = page.more;
  }
  return data;
}

/** The address of a gateway that is gone. */
async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** Stands before a gateway; `lose` says which answers never arrive, though what was asked is done. */
async function startRelay(target: string, lose: (nth: number) => boolean) {
  const bodies: { messages?: unknown[]; channels?: unknown[] }[] = [];
  const server = createServer(async (request, response) => {
    const nth = bodies.length;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
    const answer = await fetch(target + request.url, {
      method: 'POST',
      headers: { authorization: String(request.headers.authorization) },
      body: Buffer.concat(chunks),
    });
    const text = await answer.text();
    if (lose(nth)) request.socket.destroy();
    else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

const codes = (outcomes: readonly Outcome[]) => outcomes.map((one) => (one.ok ? one.offset : one.error.code));
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('a publisher', () => {
  it('says whose a message is, and who does not get it', async () => {
    const { gateway, publisher } = await withGateway();
    const client = createClient({ url: gateway.wsUrl });
    onTestFinished(() => client.close());
    await client.connect();
    const seen: unknown[] = [];
    const subscription = client.channel('demo:own').subscribe(({ data, user }) => void seen.push([data, user]));
    await expect.poll(() => subscription.position).toBeDefined();
    const options = { user: 'u1', except: client.session?.session };
    await publisher.publish('demo:own', 1, options);
    await publisher.publishAll([publisher.message('demo:own', 2, options), publisher.message('demo:own', 3)]);
    await client.channel('demo:own').publish(4, { exceptSelf: true });
    await publisher.publish('demo:own', 5, { user: 'u2' });
    await expect.poll(() => subscription.position?.offset).toBe(5);
    expect(seen).toEqual([
      [3, undefined],
      [5, 'u2'],
    ]);
    await expect(publisher.publish('demo:own', 1, { user: '' })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('publishes what is asked for at once as one request, in order, as it was then', async () => {
    const { gateway } = await withGateway();
    const relay = await startRelay(gateway.httpUrl, () => false);
    const publisher = createPublisher({ url: relay.url, apiKey: 'dev' });
    const data = { n: 0 };
    const all = numbers(100).map((n) => {
      data.n = n;
      return publisher.publish('demo:a', data);
    });
    const results = await Promise.all(all);
    expect(results.map(({ offset }) => offset)).toEqual(numbers(100).map((n) => n + 1));
    expect(new Set(results.map(({ key }) => key)).size).toBe(100);
    expect(await logOf(gateway, 'demo:a')).toEqual(numbers(100).map((n) => ({ n })));
    expect(relay.bodies.map(({ messages }) => messages?.length)).toEqual([100]);
    await publisher.publish('demo:b', { bytes: new Uint8Array([1, 2]) });
    expect(await logOf(gateway, 'demo:b')).toEqual([{ bytes: { $binary: 'AQI=' } }]);
  });

  it('sends one payload for many channels once, and no request over its size', async () => {
    const { gateway } = await withGateway();
    const relay = await startRelay(gateway.httpUrl, () => false);
    const publisher = createPublisher({ url: relay.url, apiKey: 'dev', batch: { maxMessages: 3 } });
    const channels = ['demo:1', 'demo:2', 'nowhere:1', 'demo:3'];
    expect(codes(await publisher.publishTo(channels, 'hi'))).toEqual([1, 1, 'unknown_channel', 1]);
    expect(relay.bodies).toMatchObject([
      { channels: channels.slice(0, 3), data: 'hi' },
      { messages: [{ data: 'hi' }] },
    ]);
  });

  it('waits for company until the delay is over, the batch full, or it is flushed', async () => {
    const { gateway } = await withGateway();
    const relay = await startRelay(gateway.httpUrl, () => false);
    const batch = { delayMs: 60_000, maxMessages: 2 };
    const publisher = createPublisher({ url: relay.url, apiKey: 'dev', batch });
    const first = publisher.publish('demo:a', 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([first, publisher.publish('demo:a', 2)]);
    const last = publisher.publish('demo:a', 3);
    await publisher.close();
    expect((await last).offset).toBe(3);
    expect(relay.bodies.map(({ messages }) => messages?.length)).toEqual([2, 1]);
    expect((await rejectionOf(publisher.publish('demo:a', 4))).code).toBe('closed');
  });

  it('publishes once what it sends again because the answer was lost', async () => {
    const { gateway } = await withGateway();
    const relay = await startRelay(gateway.httpUrl, (nth) => nth % 3 !== 2);
    const publisher = createPublisher({ url: relay.url, apiKey: 'dev', backoff: QUICK, batch: { maxMessages: 7 } });
    const results = await Promise.all(numbers(50).map((n) => publisher.publish('demo:a', n)));
    expect(results.every(({ duplicate }) => duplicate)).toBe(true);
    expect(await logOf(gateway, 'demo:a')).toEqual(numbers(50));
  });

  it('says that the outcome is unknown where it has no key, and publishes nothing twice', async () => {
    const { gateway } = await withGateway();
    const relay = await startRelay(gateway.httpUrl, () => true);
    const publisher = createPublisher({ url: relay.url, apiKey: 'dev', autoKey: false });
    expect((await rejectionOf(publisher.publish('demo:a', 1))).code).toBe('outcome_unknown');
    expect(await logOf(gateway, 'demo:a')).toEqual([1]);
    const keyed = createPublisher({ url: relay.url, apiKey: 'dev', backoff: QUICK, timeoutMs: 2_000 });
    expect((await rejectionOf(keyed.publish('demo:a', 2))).code).toBe('outcome_unknown');
    expect(await logOf(gateway, 'demo:a')).toEqual([1, 2]);
  });

  it('goes to the next gateway where one cannot be reached, and says so where none can', async () => {
    const dead = await freeAddress();
    const { gateway } = await withGateway();
    const publisher = createPublisher({ url: [dead, gateway.httpUrl], apiKey: 'dev', autoKey: false });
    expect((await publisher.publish('demo:a', 1)).offset).toBe(1);
    const lost = createPublisher({ url: dead, apiKey: 'dev', backoff: QUICK, timeoutMs: 1_000 });
    expect(await rejectionOf(lost.publish('demo:a', 1))).toMatchObject({
      code: 'timeout',
      cause: { code: 'unreachable' },
    });
  });

  it('takes no word of a proxy for that of a gateway', async () => {
    const proxy = createServer((_, response) => response.writeHead(503).end('{"code":503,"message":"upstream"}'));
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const publisher = createPublisher({ url, apiKey: 'dev', autoKey: false });
    expect(await rejectionOf(publisher.publish('demo:a', 1))).toMatchObject({
      code: 'outcome_unknown',
      cause: { code: 'unreachable' },
    });
  });

  it('one message that is refused harms no other', async () => {
    const { publisher } = await withGateway();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const outcomes = await publisher.publishAll([
      publisher.message('demo:a', 1),
      publisher.message('nowhere:1', 1),
      publisher.message('demo:a', circle),
      publisher.message('demo:a', 'x'.repeat(200_000)),
      publisher.message('demo:a', 1, { tags: { n: 1 } as never }),
      publisher.message('not a name', 1),
      publisher.message('demo:a', 2),
    ]);
    const expected = [1, 'unknown_channel', 'bad_request', 'too_large', 'bad_request', 'bad_request', 2];
    expect(codes(outcomes)).toEqual(expected);
  });

  it('is told of a wrong key, of an address that is no gateway, and of options that are none', async () => {
    const { gateway } = await withGateway();
    const wrong = createPublisher({ url: gateway.httpUrl, apiKey: 'wrong' });
    expect((await rejectionOf(wrong.publish('demo:a', 1))).code).toBe('unauthorized');
    const elsewhere = createServer((_, response) => response.writeHead(404).end('<html>')).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    onTestFinished(() => void elsewhere.close());
    const lost = createPublisher({
      url: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`,
      apiKey: 'dev',
    });
    expect(await rejectionOf(lost.publish('demo:a', 1))).toMatchObject({ code: 'unreachable', retryable: false });
    expect(() => createPublisher({ url: 'ws://host', apiKey: 'dev' })).toThrow('http: or https:');
    expect(() => createPublisher({ url: [], apiKey: 'dev' })).toThrow('url is missing');
    expect(() => createPublisher({ url: 'http://host', apiKey: '' })).toThrow('apiKey');
    expect(() => createPublisher({ url: 'http://host', apiKey: 'x', timeoutMs: 300_001 })).toThrow('timeoutMs');
  });

  it('refuses what is no data by name, and publishes what comes behind it', async () => {
    const { gateway, publisher } = await withGateway();
    const invalid = publisher.publish('demo:a', { at: [new Date(Number.NaN)] });
    const valid = publisher.publish('demo:a', { at: new Date(0) });
    expect(await rejectionOf(invalid)).toMatchObject({
      code: 'bad_request',
      message: 'data.at[0]: Invalid Date is no data',
    });
    await valid;
    expect(await logOf(gateway, 'demo:a')).toEqual([{ at: '1970-01-01T00:00:00.000Z' }]);
    await publisher.close();
  });

  it('says how many replicas a message waits for, and hears how many have it', async () => {
    const { publisher } = await withGateway();
    const asked = await publisher.publish('demo:a', 1, { durability: 'replicated', replicas: 2 });
    expect(asked).toMatchObject({ offset: 1, durability: 'stored', replicas: 0, of: 0 });
    const none = publisher.publish('demo:a', 2, { durability: 'replicated', replicas: 0 });
    expect(await rejectionOf(none)).toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('replicas'),
    });
    await publisher.close();
  });

  it('is typed and checked by the map', async () => {
    const { gateway } = await withGateway();
    const channels = defineChannels({ 'demo:*': durable<{ n: number }>(), 'tick:*': live<number>() });
    const publisher = createPublisher({ url: gateway.httpUrl, apiKey: 'dev', channels });
    const { offset } = await publisher.publish('demo:a', { n: 1 });
    expect(offset satisfies number).toBe(1);
    expect((await rejectionOf(publisher.publish('dmo:a' as 'demo:a', { n: 1 }))).message).toContain('no channel');
  });

  it('loses and repeats nothing while a gateway is killed and the next one takes over', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const settings = { REDIS_URL: redis.url };
    const [one, two] = await Promise.all([startGateway(settings), startGateway(settings)]);
    const url = [one.httpUrl, two.httpUrl];
    const publisher = createPublisher({ url, apiKey: 'dev', backoff: QUICK, batch: { maxMessages: 10 } });
    let done = 0;
    const publish = (from: number, to: number) =>
      numbers(to - from).map((n) => publisher.publish('demo:a', from + n).then(() => done++));
    const first = publish(0, 600);
    await expect.poll(() => done, { interval: 1 }).toBeGreaterThan(100);
    // However many of the others are answered by now, these are not.
    const last = publish(600, 900);
    const killed = one.signal('SIGKILL');
    expect(done).toBeLessThan(900);
    await Promise.all([killed, ...first, ...last]);
    expect(await logOf(two, 'demo:a')).toEqual(numbers(900));
  });
});
