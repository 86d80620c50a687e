import { MAX_TAGS, MAX_TAGS_BYTES } from '@fanfare/protocol/validate';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Asked, type Call, createApiHarness } from '../../test/support/api-harness.js';

type Json = Record<string, unknown>;
interface Operation {
  readonly responses: Readonly<Record<string, { readonly content: Record<string, { readonly schema: Json }> }>>;
}

const harness = createApiHarness();
const document = (await harness.ask('/v1/openapi.json')).json as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
};

/** A schema of the document with its references, as something that checks. */
function checker(schema: Json) {
  const definitions = { schema, schemas: document.components.schemas };
  const local = JSON.parse(JSON.stringify(definitions).replaceAll('#/components/schemas/', '#/$defs/')) as {
    schema: Json;
    schemas: Json;
  };
  return z.fromJSONSchema({ ...local.schema, $defs: local.schemas } as Parameters<typeof z.fromJSONSchema>[0]);
}

/** Holds an answer against what the document says of that path, method, status and media type. */
function expectDocumented(path: string, method: string, answer: Asked): void {
  const response = document.paths[path]?.[method.toLowerCase()]?.responses[answer.status];
  expect(response, `${method} ${path} ${answer.status} is documented`).toBeDefined();
  const type = answer.headers['content-type']?.split(';')[0] as string;
  const content = response?.content[type];
  expect(content, `${method} ${path} ${answer.status} ${type} is documented`).toBeDefined();
  if (type === 'text/plain') return;
  const checked = checker(content?.schema as Json).safeParse(answer.json);
  expect(checked.success ? '' : z.prettifyError(checked.error)).toBe('');
}

const publish = (body: unknown): Call => ({ method: 'POST', body: JSON.stringify(body) });
const NO_KEY = { authorization: '' };

describe('the OpenAPI document holds for', () => {
  it.each<[string, string, number, Call?]>([
    ['a durable message', '/v1/publish', 200, publish({ channel: 'demo:a', data: 1, key: 'k', tags: { a: 'b' } })],
    ['a duplicate', '/v1/publish', 200, publish({ channel: 'demo:a', data: 1, key: 'k' })],
    ['a replicated one', '/v1/publish', 200, publish({ channel: 'demo:a', data: 1, durability: 'replicated' })],
    ['a live one', '/v1/publish', 200, publish({ channel: 'live:a', data: 1 })],
    ['many channels', '/v1/publish', 200, publish({ channels: ['demo:a', 'no:a'], data: 1 })],
    ['a batch', '/v1/publish', 200, publish({ messages: [{ channel: 'demo:a', data: 1 }, {}, 1] })],
    ['a bad request', '/v1/publish', 400, publish({})],
    ['no key', '/v1/publish', 401, { ...publish({}), headers: NO_KEY }],
    ['an unknown channel', '/v1/publish', 404, publish({ channel: 'no:a', data: 1 })],
    ['a large body', '/v1/publish', 413, { method: 'POST', body: 'too_large' }],
    ['another media type', '/v1/publish', 415, { ...publish({}), headers: { 'content-type': 'text/html' } }],
    ['a page of history', '/v1/history?channel=demo:a', 200],
    ['an unusable position', '/v1/history?channel=demo:a&after=1-1', 409],
    ['a history without a channel', '/v1/history', 400],
    ['channels', '/v1/channels', 200],
    ['a wrong cursor', '/v1/channels?cursor=', 400],
    ['nodes', '/v1/nodes', 200],
    ['sessions', '/v1/sessions?user=u1', 200],
    ['sessions of nobody named', '/v1/sessions', 400],
    ['a disconnect', '/v1/disconnect', 200, publish({ user: 'u1', reconnect: true })],
    ['a disconnect of nobody named', '/v1/disconnect', 400, publish({})],
    ['an unsubscribe', '/v1/unsubscribe', 200, publish({ session: 's1', channel: 'demo:a' })],
    ['a refresh', '/v1/refresh', 200, publish({ user: 'u1', channels: {} })],
    ['a revoke', '/v1/revoke', 200, publish({ jti: 't1', ttlMs: 5000 })],
    ['a revoke of no length', '/v1/revoke', 400, publish({ jti: 't1', ttlMs: 0 })],
    ['a large refresh', '/v1/refresh', 413, publish({ user: 'u1', channels: { [`${'x'.repeat(20_000)}`]: [] } })],
    ['why', '/v1/why?channel=demo:a&offset=1&epoch=5&session=s1', 200],
    ['why of no message', '/v1/why?channel=demo:a&offset=x', 400],
    ['itself', '/v1/openapi.json', 200],
    ['liveness', '/health/live', 200],
    ['readiness', '/health/ready', 200],
    ['metrics', '/metrics', 200],
  ])('%s', async (_, path, status, call) => {
    const answer = await harness.ask(path, call);
    expect(answer.status).toBe(status);
    expectDocumented(path.split('?')[0] as string, call?.method ?? 'GET', answer);
  });

  it('another method than the path takes', async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const answer = await harness.ask(path, { method: 'DELETE' });
      expect([path, answer.status]).toEqual([path, 405]);
      for (const method of Object.keys(operations)) expectDocumented(path, method, answer);
    }
  });

  it('a fault of the gateway', async () => {
    const fault = () => Promise.reject(new Error('a fault'));
    const faulty = createApiHarness(() => ({
      broker: { publish: fault, read: fault },
      fleet: { channels: fault, nodes: fault },
      metrics: { contentType: 'text/plain', text: fault },
    }));
    const calls = [
      ['/v1/publish', 'POST', publish({ channel: 'demo:a', data: 1 })],
      ['/v1/history?channel=demo:a', 'GET', {}],
      ['/v1/channels', 'GET', {}],
      ['/v1/nodes', 'GET', {}],
      ['/metrics', 'GET', {}],
    ] as const;
    for (const [path, method, call] of calls) {
      const answer = await faulty.ask(path, call);
      expect([path, answer.status]).toEqual([path, 500]);
      expectDocumented(path.split('?')[0] as string, method, answer);
    }
  });

  it('tags within their limits', () => {
    const limits = { maxProperties: MAX_TAGS, description: expect.stringContaining(`${MAX_TAGS_BYTES} bytes`) };
    expect(document.components.schemas.PublishOne).toMatchObject({ properties: { tags: limits } });
  });

  it('a broker that is down', async () => {
    const down = createApiHarness();
    await down.broker.close();
    down.shards.push({ shard: 's1', state: 'lost', detail: 'gone' });
    const answers = [
      ['/v1/publish', 'POST', await down.publish({ channel: 'demo:a', data: 1 })],
      ['/v1/publish', 'POST', await down.publish({ messages: [{ channel: 'demo:a', data: 1 }] })],
      ['/v1/history', 'GET', await down.ask('/v1/history?channel=demo:a')],
      ['/health/ready', 'GET', await down.ask('/health/ready')],
    ] as const;
    expect(answers.map(([, , answer]) => answer.status)).toEqual([503, 200, 503, 503]);
    for (const [path, method, answer] of answers) expectDocumented(path, method, answer);
  });

  it('and would not for anything else', () => {
    const wrong = { headers: { 'content-type': 'application/json' }, text: '' };
    for (const json of [{}, { channel: 'a', offset: -1 }, { channel: 'a', surplus: 1 }, { results: [{ offset: 1 }] }]) {
      expect(() => expectDocumented('/v1/publish', 'POST', { ...wrong, status: 200, json })).toThrow();
    }
    expect(() => expectDocumented('/v1/publish', 'POST', { ...wrong, status: 418, json: {} })).toThrow();
  });

  it('every path, with resolvable references', async () => {
    expect(document.openapi).toBe('3.1.0');
    for (const path of Object.keys(document.paths)) {
      expect((await harness.ask(path)).json?.code, path).not.toBe('not_found');
    }
    const references = JSON.stringify(document).match(/#\/components\/schemas\/\w+/g) ?? [];
    const names = Object.keys(document.components.schemas);
    expect([...new Set(references.map((one) => one.split('/').at(-1)))].sort()).toEqual(names.sort());
  });
});
