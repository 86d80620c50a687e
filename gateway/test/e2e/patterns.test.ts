/** What a pattern of a token covers, and what it does not, asked over a real socket; the same of API keys over HTTP. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const SECRET = 'a secret of at least thirty-two bytes';
const NAMESPACES = ['', 'chat', 'chatx', 'Chat', 'ch*t', 'caf\u00e9', 'cafe\u0301', '\u0441hat', 'long'];
const token = { subscribe: 'token', publish: 'token' };
/** 255 bytes, as long as a name may be. */
const LONGEST = `long:${'x'.repeat(250)}`;

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess({
    settings: { JWT_SECRET: SECRET },
    file: {
      namespaces: Object.fromEntries(NAMESPACES.map((name) => [name, token])),
      apiKeys: [{ name: 'limited', key: 'limited', scopes: ['publish'], channels: ['chat:*', 'caf\u00e9:*', LONGEST] }],
    },
  });
});
afterAll(() => gateway?.stop());

const sign = (channels: Record<string, string[]>) =>
  new SignJWT({ sub: 'u1', channels })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));

async function connect(pattern: string): Promise<FrameClient> {
  const client = await FrameClient.open(gateway.port, { token: await sign({ [pattern]: ['subscribe', 'publish'] }) });
  onTestFinished(() => client.close());
  return client;
}

it.each<[pattern: string, covered: readonly string[], notCovered: readonly string[]]>([
  ['chat:*', ['chat:1', 'chat:', 'chat:a:b'], ['chatx:1', 'chat', 'Chat:1', '\u0441hat:1', 'ch*t:1']],
  ['chat*', ['chat:1', 'chatx:1', 'chat'], ['Chat:1', 'ch*t:1']],
  ['chat:1', ['chat:1'], ['chat:12', 'chat:', 'chat:*']],
  ['ch*t:1', ['ch*t:1'], ['chat:1']],
  // Two spellings of one letter are two names: normal forms are not looked at.
  ['caf\u00e9:*', ['caf\u00e9:1'], ['cafe\u0301:1']],
  ['cafe\u0301:*', ['cafe\u0301:1'], ['caf\u00e9:1']],
  ['long:*', [LONGEST], ['chat:1']],
  [LONGEST, [LONGEST], [LONGEST.slice(0, -1)]],
  ['', [], ['chat:1', 'chat']],
  ['*', ['chat:1', 'Chat:1', LONGEST], []],
  [`${'x'.repeat(5_000)}*`, [], ['chat:1']],
])('a token for %j', async (pattern, covered, notCovered) => {
  const client = await connect(pattern);
  for (const channel of [...covered, ...notCovered]) {
    const isCovered = covered.includes(channel);
    const subscribed = await client.ask({ type: 'subscribe', channel });
    expect([channel, subscribed.code ?? subscribed.type]).toEqual([channel, isCovered ? 'subscribed' : 'forbidden']);
    const published = await client.ask({ type: 'publish', channel, data: 1 });
    expect([channel, published.code ?? published.type]).toEqual([channel, isCovered ? 'published' : 'forbidden']);
  }
});

it('what is no name is refused before anybody asks what is allowed', async () => {
  const client = await connect('*');
  for (const channel of ['', `${LONGEST}x`, 'chat: 1', 'chat:\u0000', 'chat:\u00a0', '\ud800', 1, null]) {
    const reply = await client.ask({ type: 'subscribe', channel });
    expect([channel, reply.code]).toEqual([channel, 'bad_request']);
  }
});

it.each([
  ['chat:1', 200],
  ['caf\u00e9:1', 200],
  [LONGEST, 200],
  ['chatx:1', 403],
  ['chat', 403],
  ['cafe\u0301:1', 403],
  ['', 400],
  [`${LONGEST}x`, 400],
])('an API key for some patterns and %j: %d', async (channel, status) => {
  const response = await fetch(`${gateway.httpUrl}/v1/publish`, {
    method: 'POST',
    headers: { authorization: 'Bearer limited' },
    body: JSON.stringify({ channel, data: 1 }),
  });
  expect(response.status).toBe(status);
});
