/** Names that nobody publishes to cost next to nothing, and one connection can't fill the store with them. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { NEW_IDENTITY_MS } from '../../src/broker/broker.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const SUBSCRIPTIONS = 30;
const UNKNOWN = { epoch: '1', offset: 1 };

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

async function start(settings: Readonly<Record<string, string>>) {
  await servers.node.client.flushall();
  const gateway = await startGatewayProcess({
    settings: {
      MODE: 'production',
      HOST: '127.0.0.1',
      STOP_DELAY_MS: '0',
      API_KEYS: 'key',
      REDIS_URL: servers.url,
      LIMIT_SUBSCRIPTIONS: String(SUBSCRIPTIONS),
      ...settings,
    },
    file: { namespaces: { demo: { subscribe: 'anyone', publish: 'anyone' } } },
  });
  onTestFinished(() => gateway.stop());
  return gateway;
}

interface Answer {
  readonly type: string;
  readonly id: number;
  readonly code?: string;
  readonly retryAfter?: number;
}

/** A connection that sends frames of its own making, and waits for the answer to each. */
async function connect(wsUrl: string) {
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on('message', (text) => {
    const answer = JSON.parse(String(text)) as Answer;
    waiting.get(answer.id)?.(answer);
  });
  let id = 0;
  const ask = (frame: object) =>
    new Promise<Answer>((resolve) => {
      waiting.set(++id, resolve);
      socket.send(JSON.stringify({ ...frame, id }));
    });
  await ask({ type: 'connect' });
  return ask;
}

const keys = (kind: string) => servers.node.client.keys(`ff:*:${kind}:demo:*`);

it('a connection that goes from one fresh name to the next is refused before it fills the store', async () => {
  const { wsUrl, publish } = await start({ LIMIT_COMMANDS_PER_SECOND: '10000' });
  await publish({ channel: 'demo:known', data: 1 });
  const ask = await connect(wsUrl);
  const answers: Answer[] = [];
  for (let n = 0; n < 4 * SUBSCRIPTIONS; n++) {
    answers.push(await ask({ type: 'subscribe', channel: `demo:${n}` }));
    await ask({ type: 'unsubscribe', channel: `demo:${n}` });
  }
  const refused = answers.filter(({ code }) => code === 'rate_limited');
  expect(answers.slice(0, SUBSCRIPTIONS).every(({ type }) => type === 'subscribed')).toBe(true);
  expect(refused.length).toBeGreaterThan(2 * SUBSCRIPTIONS);
  expect(refused.at(-1)?.retryAfter).toBeGreaterThan(0);
  const left = await keys('m');
  expect(left.length).toBeLessThanOrEqual(answers.length - refused.length + 1);
  const lives = await Promise.all(
    left.filter((key) => !key.endsWith(':known')).map((key) => servers.node.client.pttl(key)),
  );
  for (const life of lives) {
    expect(life).toBeGreaterThan(0);
    expect(life).toBeLessThanOrEqual(NEW_IDENTITY_MS);
  }

  const other = await connect(wsUrl);
  for (let n = 0; n < 2 * SUBSCRIPTIONS; n++) {
    expect(await other({ type: 'subscribe', channel: 'demo:known' })).toMatchObject({ type: 'subscribed' });
    await other({ type: 'unsubscribe', channel: 'demo:known' });
  }
});

it('positions that nobody knows count as commands, and no more of them are free than channels are', async () => {
  const { wsUrl } = await start({ LIMIT_COMMANDS_PER_SECOND: '2' });
  const ask = await connect(wsUrl);
  const answers = await Promise.all(
    Array.from({ length: 10 * SUBSCRIPTIONS }, (_, n) =>
      ask({ type: 'subscribe', channel: `demo:${n}`, since: UNKNOWN }),
    ),
  );
  const refused = answers.filter(({ code }) => code === 'rate_limited');
  expect(refused.length).toBeGreaterThan(8 * SUBSCRIPTIONS);
  // Those that were let in are paid for now.
  expect(await ask({ type: 'unsubscribe', channel: 'demo:0' })).toMatchObject({ code: 'rate_limited' });
  expect((await keys('m')).length).toBeLessThanOrEqual(answers.length - refused.length);
});

it('to look at the history of a name makes no more than to subscribe does, and from an unknown position nothing', async () => {
  const { httpUrl, wsUrl } = await start({ LIMIT_COMMANDS_PER_SECOND: '10000' });
  const ask = await connect(wsUrl);
  const after = await ask({ type: 'history', channel: 'demo:nobody', after: UNKNOWN });
  expect(after).toMatchObject({ type: 'error', code: 'bad_request' });
  expect(await keys('m')).toEqual([]);
  const answers: Answer[] = [];
  for (let n = 0; n < 2 * SUBSCRIPTIONS; n++) answers.push(await ask({ type: 'history', channel: `demo:${n}` }));
  expect(answers.filter(({ code }) => code === 'rate_limited')).toHaveLength(SUBSCRIPTIONS);
  expect(await keys('m')).toHaveLength(SUBSCRIPTIONS);
  const answer = await fetch(`${httpUrl}/v1/history?channel=demo:0`, { headers: { authorization: 'Bearer key' } });
  const { head } = (await answer.json()) as { head: object };
  expect(answers[0]).toMatchObject({ messages: [], more: false, head });
});
