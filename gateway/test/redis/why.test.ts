/** `fanfare why`: what became of a message, on two gateways over one Redis. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { WhyAnswer } from '../../src/why/calls.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { fanfare } from '../support/program.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const POLL = { timeout: 60_000, interval: 50 };
let redis: StandaloneServers;
let a: GatewayProcess;
let b: GatewayProcess;

beforeAll(async () => {
  redis = await startRedis();
  const start = (node: string) =>
    startGatewayProcess({
      settings: { REDIS_URL: redis.url, NODE: node, LIMIT_BUFFERED_BYTES: '131072' },
      file: {
        namespaces: {
          '': { history: { size: 1000 }, subscribe: 'anyone', publish: 'anyone' },
          live: { durable: false },
        },
      },
    });
  [a, b] = await Promise.all([start('a'), start('b')]);
  const nodes = async () => (await get('/v1/nodes')).json as { nodes: object[] };
  await vi.waitFor(async () => expect((await nodes()).nodes).toHaveLength(2), 20_000);
});
afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop()]);
  await redis?.stop();
});

async function get(path: string) {
  const response = await fetch(a.httpUrl + path, { headers: { authorization: 'Bearer dev' } });
  return { status: response.status, json: (await response.json()) as unknown };
}

async function why(channel: string, offset: number, more = '') {
  const answer = (await get(`/v1/why?channel=${channel}&offset=${offset}${more}`)).json as WhyAnswer;
  const on = (node: string) => answer.gateways.find((one) => one.node === node);
  return { ...answer, a: on('a'), b: on('b') };
}

async function join(gateway: GatewayProcess, channel: string, start: object = {}) {
  const client = await FrameClient.open(gateway.port);
  onTestFinished(() => client.close());
  expect(await client.ask({ type: 'subscribe', channel, ...start })).toMatchObject({ type: 'subscribed' });
  return { client, session: String(client.frames[0]?.session) };
}

const has = (client: FrameClient, offset: number) =>
  client.until((one) => one.type === 'message' && one.offset === offset);

describe('why', () => {
  it('tells who published a message, and that it was sent, on each gateway', async () => {
    const one = await join(a, 'w1');
    const two = await join(b, 'w1');
    const three = await join(b, 'w1');
    await b.publish({ channel: 'w1', data: 1, key: 'k1' });
    await Promise.all([one, two, three].map(({ client }) => has(client, 1)));
    const told = await why('w1', 1, `&session=${two.session}`);
    expect(told).toMatchObject({
      log: { state: 'stored', key: 'k1', epoch: expect.stringMatching(/^\d+$/), time: expect.any(Number) },
      missing: [],
      a: { received: { by: 'push' }, flushed: { subscribers: 1 }, channel: { offset: 1, subscribers: 1, pending: 0 } },
      b: { published: { by: 'http key-1' }, flushed: { subscribers: 2 }, session: { verdict: 'sent' } },
    });
    expect(told.a?.published).toBeUndefined();
    expect(told.a?.session?.verdict).toBe('unknown');
  });

  it('tells who came later, who caught up, and who is excepted', async () => {
    const first = await join(a, 'w2');
    await first.client.ask({ type: 'publish', channel: 'w2', data: 1 });
    await a.publish({ channel: 'w2', data: 2, except: first.session });
    await first.client.until((one) => one.type === 'position' && one.offset === 2);
    const late = await join(b, 'w2');
    const rewound = await join(b, 'w2', { rewind: 10 });
    await has(rewound.client, 2);
    const verdictOf = async (session: string, offset: number, node: 'a' | 'b') =>
      (await why('w2', offset, `&session=${session}`))[node]?.session?.verdict;
    expect(await verdictOf(first.session, 1, 'a')).toBe('sent');
    expect(await verdictOf(first.session, 2, 'a')).toBe('excepted');
    expect(await verdictOf(late.session, 1, 'b')).toBe('behind');
    expect(await verdictOf(rewound.session, 1, 'b')).toBe('replayed');
    expect(await verdictOf(late.session, 3, 'b')).toBe('waiting');
    expect((await why('w2', 1)).b).toMatchObject({ replayed: [{ session: rewound.session }], replayedCount: 1 });
    expect((await why('w2', 2)).log).toMatchObject({ except: first.session });
  });

  it('tells for whom a message was dropped, and that it came all the same', async () => {
    const slow = await join(a, 'w3');
    const quick = await join(a, 'w3');
    slow.client.pause();
    const data = 'x'.repeat(30_000);
    let last = 0;
    const dropped = async () => (await why('w3', last)).a?.droppedCount;
    do {
      for (let nth = 0; nth < 20; nth++) last = Number((await a.publish({ channel: 'w3', data })).body.offset);
      await has(quick.client, last);
    } while ((await metric('fanfare_lagged_total')) === 0);
    // Nobody is taken off for this one.
    last = Number((await a.publish({ channel: 'w3', data })).body.offset);
    await has(quick.client, last);
    // The first that it does not have is among the last that were sent before it was taken off.
    slow.client.resume();
    await slow.client.until(({ type }) => type === 'lagged');
    const got = slow.client.frames.filter(({ type }) => type === 'message').map(({ offset }) => Number(offset));
    const missed = Math.max(0, ...got) + 1;
    const { epoch } = (await why('w3', missed)).log;
    await slow.client.ask({ type: 'subscribe', channel: 'w3', since: { epoch, offset: missed - 1 } });
    await has(slow.client, last);
    const told = await why('w3', missed, `&session=${slow.session}`);
    expect(told.a).toMatchObject({
      flushed: { subscribers: 2 },
      dropped: [{ session: slow.session }],
      droppedCount: 1,
      replayed: [{ session: slow.session }],
      session: { verdict: 'replayed' },
    });
    expect((await why('w3', missed - 1, `&session=${slow.session}`)).a?.session?.verdict).toBe('sent');
    expect((await why('w3', missed, `&session=${quick.session}`)).a?.session?.verdict).toBe('sent');
    expect(await dropped()).toBe(0);
  });

  it('tells that a message was read from the log, where its push was lost', async () => {
    const { client } = await join(b, 'w4');
    // Nobody is pushed to until it is published.
    await redis.node.client.call('ACL', 'SETUSER', 'default', '-ssubscribe');
    await redis.node.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const { body } = await a.publish({ channel: 'w4', data: 1 });
    await redis.node.client.call('ACL', 'SETUSER', 'default', '+ssubscribe');
    await has(client, 1);
    const told = await why('w4', Number(body.offset));
    expect(told.b).toMatchObject({ received: { by: 'log' }, flushed: { subscribers: 1 } });
  });

  it('tells what the log says of messages that nobody has', async () => {
    expect(await why('w5', 7)).toMatchObject({ log: { state: 'unpublished' }, a: { droppedCount: 0 } });
    await a.publish({ messages: Array.from({ length: 1000 }, () => ({ channel: 'w5', data: 1 })) });
    for (let nth = 0; nth < 2; nth++)
      await a.publish({ messages: Array.from({ length: 1000 }, () => ({ channel: 'w5', data: 1 })) });
    expect((await why('w5', 1)).log).toMatchObject({ state: 'trimmed' });
    expect((await why('w5', 3_000)).log).toMatchObject({ state: 'stored' });
    expect((await why('w5', 3_000, '&epoch=5')).log).toEqual({ state: 'lost', epoch: '5' });
  });

  it('refuses what names no message', async () => {
    for (const query of [
      '',
      'channel=w1',
      'channel=w1&offset=0',
      'channel=w1&offset=x',
      'channel=w1&offset=1&epoch=-1',
      'channel=live:a&offset=1',
    ])
      expect((await get(`/v1/why?${query}`)).status, query).toBe(400);
  });

  it('names gateways that do not answer', async () => {
    process.kill(b.pid, 'SIGSTOP');
    const { missing } = await why('w1', 1).finally(() => process.kill(b.pid, 'SIGCONT'));
    expect(missing).toEqual(['b']);
    await expect.poll(async () => (await why('w1', 1)).missing, POLL).toEqual([]);
  });

  it('is told to people by the program', async () => {
    const { client, session } = await join(b, 'w@6');
    await a.publish({ channel: 'w@6', data: 1 });
    await has(client, 1);
    const { code, stdout } = await fanfare(['why', 'w@6@1', '--url', a.httpUrl, '--session', session]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^w@6@\d+-1: a message in the log since 20\d\d-/);
    expect(stdout).toMatch(/gateway a\n {2}\S+ \S+ {2}its publisher was answered here \(http key-1\)\n/);
    expect(stdout).toMatch(
      /gateway b\n {2}\S+ \S+ {2}came by push, and was sent to 1 client at once\n {2}now: 1 client on the channel, which is at 1\n/,
    );
    expect(stdout).toContain(`session ${session} on b: it was sent, together with all others`);
    expect(await fanfare(['why', 'w1', '--url', a.httpUrl])).toMatchObject({ code: 2 });
    const unreachable = await fanfare(['why', 'w1@1', '--url', 'http://127.0.0.1:9']);
    expect(unreachable).toMatchObject({ code: 1, stderr: expect.stringContaining('no gateway answers') });
  });
});

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${a.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{.*\\} (\\d+)`, 'm').exec(text)?.[1]);
}
