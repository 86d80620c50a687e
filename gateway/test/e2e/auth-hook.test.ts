/** A gateway that asks a real application over HTTP who its clients are and what they may do. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const HOOK_SECRET = 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=';

interface Question {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

let questions: Question[] = [];
/** What the application does with a question; the body it answers with, or it answers by itself. */
let decide: (question: Question, response: ServerResponse) => object | undefined;
let application: Server;
let gateway: GatewayProcess;

beforeAll(async () => {
  application = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const question = { headers: request.headers, text, json: JSON.parse(text) as Record<string, unknown> };
      questions.push(question);
      const body = decide(question, response);
      if (body) response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  gateway = await startGatewayProcess({
    settings: {
      AUTH_HOOK_URL: `http://127.0.0.1:${(application.address() as AddressInfo).port}/fanfare`,
      AUTH_HOOK_SECRET: HOOK_SECRET,
      AUTH_HOOK_TIMEOUT_MS: '3s',
      AUTH_HOOK_CACHE_MS: '60s',
    },
    file: {
      namespaces: {
        chat: { subscribe: 'hook', publish: 'hook' },
        user: { subscribe: 'owner' },
        open: { subscribe: 'anyone', publish: 'anyone' },
      },
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  application.closeAllConnections();
  await new Promise((resolve) => application.close(resolve));
});
beforeEach(() => {
  questions = [];
  decide = ({ json: { type, token } }) => ({ allow: true, ...(type === 'connect' && { claims: { sub: token } }) });
});

const types = () => questions.map(({ json }) => json.type);

describe('connect', () => {
  it('is asked with the token as it came, and answered with claims', async () => {
    decide = () => ({ allow: true, claims: { sub: 'u1', channels: {}, subscribe: ['user:u1'] } });
    const client = await FrameClient.open(gateway.port, { token: 'an opaque session' });
    expect(client.frames[0]).toMatchObject({ type: 'connected', user: 'u1' });
    expect(questions[0]?.json).toEqual({ type: 'connect', token: 'an opaque session', address: '127.0.0.1' });
    await client.until(({ type, channel }) => type === 'subscribed' && channel === 'user:u1');
    await client.close();
  });

  it('is signed, so that the application knows who asks', async () => {
    await (await FrameClient.open(gateway.port, { token: 'u1' })).close();
    const { headers, text } = questions[0] as Question;
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers;
    const key = Buffer.from(HOOK_SECRET.slice('whsec_'.length), 'base64');
    expect(signature).toBe(`v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64')}`);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
  });

  it.each([
    ['false', (response: ServerResponse) => response.end('{"allow":false}')],
    ['403', (response: ServerResponse) => response.writeHead(403).end()],
    ['401', (response: ServerResponse) => response.writeHead(401).end('no')],
  ])('is refused by %s', async (_, respond) => {
    decide = (_question, response) => {
      respond(response);
      return undefined;
    };
    const client = await FrameClient.open(gateway.port, { token: 'x' });
    expect(client.frames[0]).toMatchObject({ code: 'unauthorized', retryable: false });
    expect((await client.closed).code).toBe(4401);
  });
});

describe('subscribe and publish', () => {
  it('are asked where the namespace says so; answers about channels are kept by user', async () => {
    const client = await FrameClient.open(gateway.port, { token: 'u2' });
    await client.ask({ type: 'subscribe', channel: 'open:a' });
    decide = ({ json: { channel } }) => ({ allow: channel !== 'chat:secret' });
    expect(await client.ask({ type: 'subscribe', channel: 'chat:a' })).toMatchObject({ type: 'subscribed' });
    for (let n = 0; n < 2; n++) {
      expect(await client.ask({ type: 'subscribe', channel: 'chat:secret' })).toMatchObject({ code: 'forbidden' });
    }
    expect(types()).toEqual(['connect', 'subscribe', 'subscribe']);
    expect(questions[1]?.json).toEqual({
      type: 'subscribe',
      channel: 'chat:a',
      user: 'u2',
      session: client.frames[0]?.session,
    });
    const another = await FrameClient.open(gateway.port, { token: 'u3' });
    await another.ask({ type: 'subscribe', channel: 'chat:a' });
    expect(types().slice(3)).toEqual(['connect', 'subscribe']);
    await client.close();
    await another.close();
  });

  it('a message is refused, passed on as it is, or changed; each is asked', async () => {
    const client = await FrameClient.open(gateway.port, { token: 'u4' });
    await client.ask({ type: 'subscribe', channel: 'chat:m' });
    decide = ({ json: { data } }) =>
      data === 'bad' ? { allow: false } : data === 'ugly' ? { allow: true, data: { text: '***' } } : { allow: true };
    const publish = (data: unknown) =>
      client.ask({ type: 'publish', channel: 'chat:m', data, key: String(data), tags: { a: 'b' } });
    expect(await publish('bad')).toMatchObject({ code: 'forbidden' });
    expect(await publish('good')).toMatchObject({ type: 'published', offset: 1 });
    expect(await publish('ugly')).toMatchObject({ type: 'published', offset: 2 });
    await client.until(({ type, offset }) => type === 'message' && offset === 2);
    const messages = client.frames.filter(({ type }) => type === 'message');
    expect(messages).toMatchObject([
      { data: 'good', user: 'u4', key: 'good', tags: { a: 'b' } },
      { data: { text: '***' }, user: 'u4', key: 'ugly' },
    ]);
    expect(questions.at(-1)?.json).toMatchObject({
      type: 'publish',
      user: 'u4',
      data: 'ugly',
      key: 'ugly',
      tags: { a: 'b' },
    });
    await client.close();
  });

  it('messages of one client keep their order, whatever time the application takes', async () => {
    const client = await FrameClient.open(gateway.port, { token: 'u5' });
    await client.ask({ type: 'subscribe', channel: 'chat:order' });
    decide = ({ json: { data } }, response) => {
      setTimeout(() => response.end('{"allow":true}'), Number(data) % 2 ? 40 : 1);
      return undefined;
    };
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) => client.ask({ type: 'publish', channel: 'chat:order', data: n })),
    );
    expect(replies.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, n) => n + 1));
    await client.until(({ offset, type }) => type === 'message' && offset === 10);
    const seen = client.frames.filter(({ type }) => type === 'message').map(({ data }) => data);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => n));
    await client.close();
  });

  it('a changed payload that is too large, or none, is an error', async () => {
    const client = await FrameClient.open(gateway.port, { token: 'u6' });
    decide = () => ({ allow: true, data: 'x'.repeat(70_000) });
    expect(await client.ask({ type: 'publish', channel: 'chat:l', data: 1 })).toMatchObject({ code: 'too_large' });
    await client.close();
  });
});

/** What `/metrics` says of the application. */
async function isUp(): Promise<string | undefined> {
  const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  return /^fanfare_service_up\{service="auth_hook",.*\} (\d)$/m.exec(text)?.[1];
}

describe('an application that does not answer', () => {
  it('is no refusal: clients are told to come again, others go on, and it is asked again', async () => {
    const client = await FrameClient.open(gateway.port, { token: 'u7' });
    await client.ask({ type: 'subscribe', channel: 'open:a' });
    // Silence, nonsense, an error: all the same to the client.
    const failures: ((response: ServerResponse) => unknown)[] = [
      () => undefined,
      (response) => response.writeHead(500).end(),
      (response) => response.end('no JSON'),
      (response) => response.end('{"allow":"yes"}'),
      (response) => response.destroy(),
    ];
    for (const [index, fail] of failures.entries()) {
      decide = (_, response) => {
        fail(response);
        return undefined;
      };
      const reply = await client.ask({ type: 'subscribe', channel: `chat:down${index}` });
      expect(reply).toMatchObject({ code: 'unavailable', retryable: true, retryAfter: expect.any(Number) });
    }
    // The fifth in a row: it is spared, and everyone is answered at once.
    const before = questions.length;
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, data) => client.ask({ type: 'publish', channel: 'chat:a', data })),
    );
    for (const reply of replies) expect(reply).toMatchObject({ code: 'unavailable' });
    const late = await FrameClient.open(gateway.port, { token: 'u8' });
    expect(late.frames[0]).toMatchObject({ code: 'unavailable', retryable: true });
    expect((await late.closed).code).toBe(4003);
    // But for one on trial, if a second has passed, and another one two seconds after that.
    expect(questions.length - before).toBeLessThanOrEqual(2);
    await expect.poll(gateway.output).toContain('the application does not answer');
    expect(await isUp()).toBe('0');
    // What needs no answer goes on.
    expect(await client.ask({ type: 'publish', channel: 'open:a', data: 1 })).toMatchObject({ type: 'published' });
    decide = () => ({ allow: true });
    await expect
      .poll(async () => (await client.ask({ type: 'subscribe', channel: 'chat:up' })).type, {
        timeout: 20_000,
        interval: 300,
      })
      .toBe('subscribed');
    await expect.poll(gateway.output).toContain('the application answers again');
    await expect.poll(isUp).toBe('1');
    await client.close();
  });
});
