import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, createApiHarness } from '../../test/support/api-harness.js';
import type { ChannelSpec } from '../broker/broker.js';
import { CHANNELS_PAGE } from './fleet.js';
import { loadStaticFiles } from './static-files.js';

describe('access', () => {
  it.each([
    ['Bearer dev', 200],
    ['bearer  dev', 200],
    ['Bearer second-key', 200],
    ['', 401],
    ['dev', 401],
    ['Bearer', 401],
    ['Bearer de', 401],
    ['Bearer devv', 401],
    ['Basic dev', 401],
    [`Bearer ${'x'.repeat(5000)}`, 401],
  ])('%s: %i', async (authorization, status) => {
    const answer = await createApiHarness().ask('/v1/nodes', { headers: { authorization } });
    expect(answer.status).toBe(status);
    if (status === 401) {
      expect(answer).toMatchObject({
        headers: { 'content-type': 'application/problem+json', 'www-authenticate': 'Bearer' },
        json: { code: 'unauthorized', status: 401, retryable: false },
      });
    }
  });

  it('asks for a key everywhere but at health, metrics and the document', async () => {
    const harness = createApiHarness();
    const status = async (path: string, method = 'GET') =>
      (await harness.ask(path, { method, headers: { authorization: '' } })).status;
    expect(await status('/v1/publish', 'POST')).toBe(401);
    for (const path of ['/v1/history?channel=demo:a', '/v1/channels', '/v1/nodes'])
      expect(await status(path)).toBe(401);
    for (const path of ['/health/live', '/health/ready', '/metrics', '/v1/openapi.json'])
      expect(await status(path)).toBe(200);
  });

  it('says when to come back if there is no room for the body', async () => {
    expect(await createApiHarness().ask('/v1/publish', { method: 'POST', body: 'no_room' })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: { code: 'unavailable', retryable: true },
    });
  });

  it('takes no compressed bodies', async () => {
    const compressed = (encoding: string) =>
      createApiHarness().ask('/v1/publish', {
        method: 'POST',
        body: '{"channel":"demo:a","data":1}',
        headers: { 'content-encoding': encoding },
      });
    expect(await compressed('gzip')).toMatchObject({ status: 415, json: { code: 'unsupported_media_type' } });
    expect((await compressed('identity')).status).toBe(200);
  });

  it('tells who comes to the WebSocket without one what to do', async () => {
    expect(await createApiHarness().ask('/ws', { headers: { authorization: '' } })).toMatchObject({
      status: 426,
      headers: { upgrade: 'websocket', 'content-type': 'application/problem+json' },
      json: { code: 'upgrade_required', retryable: false },
    });
  });

  it('skips a byte order mark, and ends its answers with a newline', async () => {
    const harness = createApiHarness();
    const marked = await harness.ask('/v1/publish', { method: 'POST', body: '\uFEFF{"channel":"demo:a","data":1}' });
    expect(marked.status).toBe(200);
    for (const path of ['/v1/openapi.json', '/v1/history?channel=demo:a', '/health/live', '/none']) {
      expect((await harness.ask(path)).text, path).toMatch(/[^\n]\n$/);
    }
  });

  it('looks at the key before the body', async () => {
    const call = { method: 'POST', body: 'too_large' } as const;
    expect((await createApiHarness().ask('/v1/publish', { ...call, headers: { authorization: '' } })).status).toBe(401);
    expect(await createApiHarness().ask('/v1/publish', call)).toMatchObject({
      status: 413,
      json: { code: 'too_large' },
    });
  });
});

describe('requests that fit nowhere', () => {
  it.each(['/', '/v1', '/v1/publish/', '/v1/locks', '/__proto__'])('%s is not found', async (path) => {
    expect(await createApiHarness().ask(path)).toMatchObject({
      status: 404,
      json: { code: 'not_found', status: 404 },
    });
  });

  it('names the methods of a path', async () => {
    const harness = createApiHarness();
    expect(await harness.ask('/v1/publish')).toMatchObject({
      status: 405,
      headers: { allow: 'POST, OPTIONS' },
      json: { code: 'method_not_allowed' },
    });
    expect(await harness.ask('/v1/history', { method: 'DELETE' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, OPTIONS' },
    });
  });

  it('takes JSON under the labels that clients put on it, and nothing else', async () => {
    const harness = createApiHarness();
    const body = '{"channel":"demo:a","data":1}';
    const publish = async (type: string) =>
      (await harness.ask('/v1/publish', { method: 'POST', body, headers: { 'content-type': type } })).status;
    for (const type of [
      '',
      'application/json; charset=utf-8',
      'application/x-www-form-urlencoded',
      'text/plain;charset=UTF-8',
      'application/cloudevents+json',
    ]) {
      expect(await publish(type), type).toBe(200);
    }
    for (const type of ['application/msgpack', 'multipart/form-data; boundary=x', 'application/jsonx']) {
      expect(await publish(type), type).toBe(415);
    }
  });

  it('counts its answers by status', async () => {
    const harness = createApiHarness();
    await harness.ask('/no');
    await harness.ask('/v1/nodes');
    await harness.publish({ channel: 'demo:a', data: 1 });
    expect(harness.stats.httpResponses).toEqual(
      new Map([
        [404, 1],
        [200, 2],
      ]),
    );
  });
});

describe('other origins', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
  };

  it('may use the API if they are allowed', async () => {
    const harness = createApiHarness();
    expect(await harness.ask('/v1/publish', preflight)).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': 'https://app.example',
        'access-control-allow-methods': 'POST, OPTIONS',
        'access-control-allow-headers': 'Authorization, Content-Type',
        vary: 'Origin',
      },
    });
    const { headers } = await harness.ask('/v1/nodes', { headers: { origin: 'https://app.example' } });
    expect(headers['access-control-allow-origin']).toBe('https://app.example');
    const refused = await harness.ask('/v1/nodes', { headers: { origin: 'https://app.example', authorization: '' } });
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example');
  });

  it('get nothing that a browser would accept otherwise', async () => {
    const harness = createApiHarness();
    const origin = 'https://evil.example';
    for (const call of [{ ...preflight, headers: { ...preflight.headers, origin } }, { headers: { origin } }]) {
      const { headers } = await harness.ask('/v1/publish', call);
      expect(headers['access-control-allow-origin']).toBeUndefined();
      expect(headers.vary).toBe('Origin');
    }
    expect((await harness.ask('/v1/nodes')).headers.vary).toBeUndefined();
  });
});

describe('history', () => {
  async function filled() {
    const harness = createApiHarness();
    for (let n = 1; n <= 5; n++) await harness.publish(`{"channel":"demo:a","data":{"n": ${n}},"tags":{"t":"${n}"}}`);
    const { epoch } = harness.log.view(harness.namespaces.policy('demo:a') as ChannelSpec).head;
    return { harness, epoch };
  }

  it('gives messages as they were published, with their position', async () => {
    const { harness, epoch } = await filled();
    const answer = await harness.ask(`/v1/history?channel=demo:a&after=${epoch}-1&limit=2`);
    expect(answer).toMatchObject({
      status: 200,
      json: {
        messages: [
          { epoch: String(epoch), offset: 2, data: { n: 2 }, time: expect.any(Number), tags: { t: '2' } },
          { epoch: String(epoch), offset: 3, data: { n: 3 } },
        ],
        more: true,
      },
    });
    expect(answer.text).toContain('"data":{"n": 2},');
    expect(Object.keys((answer.json.messages as object[])[0] as object)).toEqual([
      'epoch',
      'offset',
      'data',
      'time',
      'tags',
    ]);
  });

  it('goes backward with before, and begins with the newest', async () => {
    const { harness, epoch } = await filled();
    const offsets = async (query: string) => {
      const { json } = await harness.ask(`/v1/history?channel=demo:a&${query}`);
      return [...(json.messages as { offset: number }[]).map((message) => message.offset), json.more];
    };
    expect(await offsets(`before=${epoch}-3`)).toEqual([1, 2, false]);
    expect(await offsets('limit=2')).toEqual([4, 5, true]);
    expect(await offsets(`before=${epoch}-4&limit=2`)).toEqual([2, 3, true]);
  });

  it('carries binary data as JSON does', async () => {
    const harness = createApiHarness();
    const bytes = Buffer.from([0xc4, 2, 1, 2]);
    await harness.broker.publish(harness.namespaces.policy('demo:a') as ChannelSpec, [
      { payload: { format: 'msgpack', bytes } },
    ]);
    const { json } = await harness.ask('/v1/history?channel=demo:a');
    expect(json.messages).toMatchObject([{ data: { $binary: 'AQI=' } }]);
  });

  it('answers 409 with the reason where the position cannot be used', async () => {
    const { harness, epoch } = await filled();
    const policy = harness.namespaces.policy('demo:a') as ChannelSpec;
    const code = async (after: string) => {
      const { status, json } = await harness.ask(`/v1/history?channel=demo:a&after=${after}`);
      return [status, json.code];
    };
    expect(await code(`${epoch}-6`)).toEqual([409, 'diverged']);
    expect(await code(`${epoch + 1}-1`)).toEqual([409, 'unrecoverable']);
    harness.log.trim(policy, 3);
    expect(await code(`${epoch}-1`)).toEqual([409, 'expired']);
  });

  it.each([
    ['', 400],
    ['channel=', 400],
    ['channel=demo:a&after=1', 400],
    ['channel=demo:a&before=x-y', 400],
    ['channel=demo:a&after=1-1&before=1-1', 400],
    ['channel=demo:a&limit=0', 400],
    ['channel=demo:a&limit=1001', 400],
    ['channel=demo:a&limit=', 400],
    ['channel=demo:a&limit=1.5', 400],
    ['channel=demo:a&limit=5.0', 400],
    ['channel=demo:a&limit=1e2', 400],
    ['channel=demo:a&limit=0x10', 400],
    ['channel=demo:a&limit=%2B5', 400],
    ['channel=demo:%ff', 400],
    ['channel=demo:%zz', 400],
    ['channel=demo:a&other=%', 400],
    ['channel=live:a', 400],
    ['channel=no:a', 404],
    ['channel=demo:%F0%9F%8E%BA', 200],
  ])('?%s: %i', async (query, status) => {
    expect((await createApiHarness().ask(`/v1/history?${query}`)).status).toBe(status);
  });
});

describe('what is alive', () => {
  it('lists channels with subscribers by name, in pages', async () => {
    const harness = createApiHarness();
    for (let n = 0; n < CHANNELS_PAGE + 2; n++) harness.channels.push({ channel: `a:${n}`, subscribers: 1 });
    harness.channels.push({ channel: 'b:é', subscribers: 2 }, { channel: 'b:0', subscribers: 0 });
    const first = await harness.ask('/v1/channels?prefix=a:');
    const second = await harness.ask(`/v1/channels?prefix=a:&cursor=${first.json.cursor}`);
    const names = [first, second].flatMap(({ json }) =>
      (json.channels as { channel: string }[]).map((one) => one.channel),
    );
    expect(names).toHaveLength(CHANNELS_PAGE + 2);
    expect(names).toEqual([...names].sort());
    expect(second.json.cursor).toBeUndefined();
    expect((await harness.ask('/v1/channels?prefix=b')).json).toEqual({
      channels: [{ channel: 'b:é', subscribers: 2 }],
    });
    expect(await harness.ask('/v1/channels?cursor=%00')).toMatchObject({ status: 400 });
  });

  it('lists the gateways', async () => {
    const { json } = await createApiHarness().ask('/v1/nodes');
    expect(json).toEqual({ nodes: [{ node: 'n1', version: '1.2.3', connections: 7, uptimeMs: 5 }] });
  });
});

describe('health', () => {
  it('is ready when every part of the broker is, and says which is not', async () => {
    const harness = createApiHarness();
    expect(await harness.ask('/health/ready')).toMatchObject({ status: 200, json: { status: 'ok' } });
    harness.shards.push({ shard: 's2', state: 'lost', detail: 'no heartbeat' });
    expect(await harness.ask('/health/ready')).toMatchObject({
      status: 503,
      json: { status: 'lost', shards: [{ state: 'ok' }, { shard: 's2', state: 'lost', detail: 'no heartbeat' }] },
    });
    expect(await harness.ask('/health/live')).toMatchObject({ status: 200 });
  });

  it('is not ready once the gateway stops', async () => {
    const harness = createApiHarness();
    harness.stopping = true;
    expect(await harness.ask('/health/ready')).toMatchObject({ status: 503, json: { status: 'stopping' } });
  });

  it('can live on a port of its own', async () => {
    const harness = createApiHarness(() => ({ healthElsewhere: true }));
    for (const path of ['/health/live', '/health/ready', '/metrics']) {
      expect((await harness.ask(path)).status).toBe(404);
      expect((await ask(harness.healthHandler, path)).status).toBe(200);
    }
    expect((await ask(harness.healthHandler, '/v1/nodes')).status).toBe(404);
  });

  it('shows metrics as Prometheus text', async () => {
    const answer = await createApiHarness().ask('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain');
    expect(answer.text).toContain('fanfare_connections{node="n1"} 0');
  });
});

describe('the page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fanfare-page-'));
  writeFileSync(join(folder, 'index.html'), '<h1>hi</h1>');
  writeFileSync(join(folder, 'notes.secret'), 'no');
  const files = await loadStaticFiles(folder);
  const harness = createApiHarness(() => ({ files }));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is at /, and runs only what the gateway serves', async () => {
    const answer = await harness.ask('/', { headers: { authorization: '' } });
    expect(answer).toMatchObject({
      status: 200,
      text: '<h1>hi</h1>',
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
    expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
    expect((await harness.ask('/index.html')).text).toBe('<h1>hi</h1>');
    expect((await harness.ask('/notes.secret')).status).toBe(404);
    expect((await harness.ask('/../package.json')).status).toBe(404);
  });

  it('is not sent again to who has it', async () => {
    const { headers } = await harness.ask('/');
    const again = await harness.ask('/', { headers: { 'if-none-match': headers.etag as string } });
    expect(again).toMatchObject({ status: 304, text: '' });
    expect((await harness.ask('/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });
});
