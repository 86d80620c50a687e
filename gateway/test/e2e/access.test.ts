/** Every cell of the tables of docs/SECURITY.md, asked of a running gateway over sockets and HTTP. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const SECRET = 'a secret of at least thirty-two bytes';
const RULES = ['none', 'token', 'owner', 'authenticated', 'anyone', 'hook'];

const page = readFileSync(new URL('../../../docs/SECURITY.md', import.meta.url), 'utf8');

/** Cells of the rows of a table, without its head. */
function tableOf(name: string): string[][] {
  const text = new RegExp(`<!-- ${name} -->([^]*?)<!-- /${name} -->`).exec(page)?.[1] ?? '';
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

let gateway: GatewayProcess;
/** What the application was asked, and what it answers next. */
const asked: { type: string; channel: string; user?: string }[] = [];
let answer = true;
const application = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    asked.push(JSON.parse(body));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ allow: answer, cacheMs: 0 }));
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  const rule = (name: string) => ({ subscribe: name, publish: name, history: { access: name }, presence: true });
  gateway = await startGatewayProcess({
    settings: { JWT_SECRET: SECRET },
    file: {
      namespaces: Object.fromEntries(RULES.map((name) => [name, rule(name)])),
      auth: { hook: { url: `http://127.0.0.1:${(application.address() as AddressInfo).port}/` } },
      apiKeys: [
        { name: 'all', key: 'all' },
        { name: 'reader', key: 'reader', scopes: ['read'] },
        { name: 'publisher', key: 'publisher', scopes: ['publish'] },
        { name: 'admin', key: 'admin', scopes: ['admin'] },
        { name: 'limited', key: 'limited', scopes: ['read', 'publish', 'admin'], channels: ['anyone:a*', 'none:b'] },
      ],
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await new Promise((resolve) => application.close(resolve));
});

const sign = (claims: Record<string, unknown>) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(SECRET));

type Action = 'subscribe' | 'publish' | 'history' | 'presence';

/** Does it on a fresh connection: what the client was told. */
async function attempt(action: Action, channel: string, token: string | undefined, channelToken?: string) {
  const client = await FrameClient.open(gateway.port, { token });
  try {
    const subscribe = { type: 'subscribe', channel, ...(channelToken && { token: channelToken }) };
    // What a channel token gives beside subscribing, it gives to those who are on the channel.
    if (channelToken && action !== 'subscribe') {
      const { type, code } = await client.ask(subscribe);
      if (type !== 'subscribed') return code;
    }
    const frame =
      action === 'subscribe' ? subscribe : { type: action, channel, ...(action === 'publish' && { data: 1 }) };
    const reply = await client.ask(frame);
    return reply.type === 'error' ? reply.code : 'yes';
  } finally {
    await client.close();
  }
}

const WHO = ['anonymous', 'user', 'owner', 'granted', 'channel token'] as const;

async function credentialsOf(who: (typeof WHO)[number], action: Action, rule: string) {
  const grant = { [`${rule}:*`]: [...new Set([action, 'subscribe'])] };
  switch (who) {
    case 'anonymous':
      return {};
    case 'user':
      return { token: await sign({ sub: 'someone' }) };
    case 'owner':
      return { token: await sign({ sub: 'u1' }) };
    case 'granted':
      return { token: await sign({ channels: { [`${rule}:*`]: [action] } }) };
    case 'channel token':
      return { channelToken: await sign({ channels: grant }) };
  }
}

describe.each(['subscribe', 'publish', 'history', 'presence'] as const)(
  '%s: the table of docs/SECURITY.md',
  (action) => {
    it('has a row for each rule', () => {
      expect(tableOf('access').map(([rule]) => rule)).toEqual(RULES.map((rule) => `\`${rule}\``));
    });

    it.each(
      tableOf('access').flatMap(([rule = '', ...cells]) =>
        cells.map((cell, index) => [rule.replaceAll('`', ''), WHO[index] as (typeof WHO)[number], cell] as const),
      ),
    )('under the rule %s, %s: %s', async (rule, who, cell) => {
      const { token, channelToken } = await credentialsOf(who, action, rule);
      const channel = `${rule}:u1`;
      if (cell !== 'asked') {
        expect(await attempt(action, channel, token, channelToken)).toBe(cell === 'yes' ? 'yes' : 'forbidden');
        return;
      }
      for (const says of [true, false]) {
        answer = says;
        asked.length = 0;
        expect(await attempt(action, channel, token, channelToken)).toBe(says ? 'yes' : 'forbidden');
        const last = says || !channelToken ? action : 'subscribe';
        expect(asked.at(-1)).toMatchObject({ type: last, channel });
      }
    });
  },
);

it('a permission for one action is none for another', async () => {
  const of = async (action: string) => sign({ channels: { 'token:*': [action] } });
  for (const has of ['subscribe', 'publish', 'history', 'presence']) {
    for (const wants of ['subscribe', 'publish', 'history', 'presence'] as const) {
      expect(await attempt(wants, 'token:a', await of(has)), `${has} ${wants}`).toBe(
        has === wants ? 'yes' : 'forbidden',
      );
    }
  }
});

describe('API keys', () => {
  const call = async (key: string | undefined, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {};
    const response = await fetch(`${gateway.httpUrl}${path}`, { headers, ...init });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const CALLS: Record<string, (key: string | undefined, channel: string) => Promise<{ status: number }>> = {
    'POST /v1/publish': (key, channel) => call(key, '/v1/publish', { channel, data: 1 }),
    'GET /v1/history': (key, channel) => call(key, `/v1/history?channel=${channel}`),
    'GET /v1/presence': (key, channel) => call(key, `/v1/presence?channel=${channel}`),
    'GET /v1/channels': (key, channel) => call(key, `/v1/channels?prefix=${channel}`),
    'GET /v1/nodes': (key) => call(key, '/v1/nodes'),
    'GET /v1/sessions': (key) => call(key, '/v1/sessions?user=nobody'),
    'GET /v1/why': (key, channel) => call(key, `/v1/why?channel=${channel}&offset=1`),
    'POST /v1/disconnect': (key) => call(key, '/v1/disconnect', { user: 'nobody' }),
    'POST /v1/unsubscribe': (key, channel) => call(key, '/v1/unsubscribe', { user: 'nobody', channel }),
    'POST /v1/refresh': (key) => call(key, '/v1/refresh', { user: 'nobody', channels: {} }),
    'POST /v1/revoke': (key) => call(key, '/v1/revoke', { user: 'nobody' }),
  };
  const KEYS = { all: ['publish', 'read', 'admin'], reader: ['read'], publisher: ['publish'], admin: ['admin'] };

  it('the table has a row for each call', () => {
    expect(tableOf('keys').map(([name = '']) => name.replaceAll('`', ''))).toEqual(Object.keys(CALLS));
  });

  it.each(tableOf('keys').map((cells) => cells.map((cell) => cell.replaceAll('`', ''))))(
    '%s needs the scope %s, and a pattern %s',
    async (name = '', scope = '', pattern = '') => {
      const ask = CALLS[name] as (typeof CALLS)[string];
      expect((await ask(undefined, 'none:a')).status).toBe(401);
      expect((await ask('unknown', 'none:a')).status).toBe(401);
      for (const [key, scopes] of Object.entries(KEYS)) {
        // Rules of namespaces are for clients: here none may do anything.
        expect((await ask(key, 'none:a')).status, key).toBe(scopes.includes(scope) ? 200 : 403);
      }
      const isBound = pattern !== 'none';
      const isForAll = pattern === 'one that covers all names';
      expect((await ask('limited', 'anyone:abc')).status).toBe(isForAll ? 403 : 200);
      expect((await ask('limited', 'anyone:xyz')).status).toBe(isBound ? 403 : 200);
      // One channel by its name is not all that begin like it.
      expect((await ask('limited', 'none:b')).status).toBe(isForAll || name === 'GET /v1/channels' ? 403 : 200);
    },
  );

  it('items of a batch are refused by themselves', async () => {
    const messages = [
      { channel: 'anyone:a', data: 1 },
      { channel: 'anyone:x', data: 1 },
    ];
    const { status, json } = await call('limited', '/v1/publish', { messages });
    expect([status, json.results]).toMatchObject([
      200,
      [{ offset: expect.any(Number) }, { error: { code: 'forbidden' } }],
    ]);
  });
});
