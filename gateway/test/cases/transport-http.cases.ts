import { Agent, request as httpRequest } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { HttpResponse } from '../../src/transport/transport.js';
import { type CreateTransport, serve, TEST_OPTIONS, textResponse, until } from '../support/transport-harness.js';

interface Exchange {
  readonly text: () => string;
  readonly write: (bytes: string | Uint8Array) => void;
  /** Reads no more. */
  readonly pause: () => void;
  readonly destroy: () => void;
  readonly ended: Promise<void>;
}

/** A TCP connection that speaks HTTP as it likes. */
function openTcp(port: number): Exchange {
  const tcp = connectTcp({ host: '127.0.0.1', port });
  let received = '';
  tcp.on('data', (chunk) => {
    received += chunk.toString();
  });
  tcp.on('error', () => {});
  return {
    text: () => received,
    write: (bytes) => void tcp.write(bytes),
    pause: () => void tcp.pause(),
    destroy: () => void tcp.destroy(),
    ended: new Promise((resolve) => tcp.on('close', () => resolve())),
  };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export function transportHttpCases(name: 'uws' | 'ws', create: CreateTransport): void {
  it('hands a request over as it came, and the answer back', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: () => ({
        status: 429,
        headers: [
          ['Content-Type', 'application/problem+json'],
          ['Retry-After', '3'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ],
        body: '{"code":"rate_limited","text":"grüße"}',
      }),
    });
    const answer = await fetch(`http://127.0.0.1:${server.port}/v1/publish?a=b%20c&d`, {
      method: 'POST',
      headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json', 'X-Other': 'any other' },
      body: '{"é":1}',
    });
    expect(answer.status).toBe(429);
    expect(answer.statusText).toBe('Too Many Requests');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('retry-after')).toBe('3');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await answer.text()).toBe('{"code":"rate_limited","text":"grüße"}');
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/v1/publish', query: 'a=b%20c&d' });
    expect(Buffer.from(request?.body as Uint8Array).toString()).toBe('{"é":1}');
    expect(request?.header('authorization')).toBe('Bearer dev');
    expect(request?.header('content-type')).toBe('application/json');
    expect(request?.header('origin')).toBe('');
    expect(request?.header('x-other')).toBe('any other');
    expect(request?.headerNow('authorization')).toBe('');
  });

  it('tells the address of the peer while the request is answered', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: async (request) => {
        await delay(5);
        return textResponse(200, request.remoteAddress);
      },
    });
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe('127.0.0.1');
  });

  for (const kind of ['at once', 'later'] as const) {
    it(`answers ${kind}: GET, HEAD, POST, DELETE, OPTIONS, with bodies, without, binary`, async ({
      onTestFinished,
    }) => {
      const server = await serve(create, onTestFinished, {
        onRequest: (request) => {
          const status = request.path === '/none' ? 204 : request.path === '/same' ? 304 : 200;
          const body = request.path === '/binary' ? Buffer.from([0, 255]) : status === 200 ? request.method : '';
          const answer: HttpResponse = { status, headers: [['X-Kind', kind]], body };
          return kind === 'at once' ? answer : delay(5).then(() => answer);
        },
      });
      const call = (method: string, path: string, body?: string) =>
        fetch(`http://127.0.0.1:${server.port}${path}`, { method, ...(body === undefined ? {} : { body }) });
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT']) {
        expect(await (await call(method, '/')).text()).toBe(method);
      }
      const head = await call('HEAD', '/');
      expect([head.headers.get('content-length'), head.headers.get('x-kind'), await head.text()]).toEqual([
        '3',
        kind,
        '',
      ]);
      expect((await call('GET', '/none')).status).toBe(204);
      expect((await call('POST', '/none', 'body')).status).toBe(204);
      expect((await call('GET', '/same')).status).toBe(304);
      expect(new Uint8Array(await (await call('GET', '/binary')).arrayBuffer())).toEqual(new Uint8Array([0, 255]));
      expect(await (await call('GET', '/after')).text()).toBe('GET');
    });
  }

  it('gives the request a body of its own', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const bodies = Array.from({ length: 20 }, (_, i) => `${i % 10}`.repeat(10 + i * 3_000));
    for (const body of bodies) await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body });
    expect(server.requests.map(({ body }) => Buffer.from(body as Uint8Array).toString())).toEqual(bodies);
  });

  it('reads chunked bodies, and large answers', async ({ onTestFinished }) => {
    const large = 'z'.repeat(5_000_000);
    const server = await serve(create, onTestFinished, { onRequest: () => textResponse(200, large) });
    const client = openTcp(server.port);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    await delay(10);
    client.write('6\r\n world\r\n0\r\n\r\n');
    await until(() => client.text().length > large.length);
    expect(Buffer.from(server.requests[0]?.body as Uint8Array).toString()).toBe('hello world');
    client.destroy();
  });

  it('answers one request after another on a connection', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: (request) =>
        request.path === '/1' ? delay(5).then(() => textResponse(200, '1')) : textResponse(200, 'n'),
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 4; i++) {
      await new Promise<void>((resolve, reject) => {
        const request = httpRequest(
          { port: server.port, host: '127.0.0.1', method: 'POST', path: `/${i}`, agent },
          (response) => {
            ports.add(response.socket.localPort);
            response.resume().on('end', () => setImmediate(resolve));
          },
        );
        request.on('error', reject).end('body');
      });
    }
    expect(ports.size).toBe(1);
    expect(server.requests.map(({ path }) => path)).toEqual(['/0', '/1', '/2', '/3']);
  });

  it('answers pipelined requests in order where each is answered at once', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: (request) => textResponse(200, `<${request.path}>`),
    });
    const client = openTcp(server.port);
    client.write(
      'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\naGET /3 HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    await until(() => client.text().includes('</3>'));
    expect(client.text().match(/<\/\d>/g)).toEqual(['</1>', '</2>', '</3>']);
    client.destroy();
  });

  it('overreads the body of a GET', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: (request) => textResponse(200, `<${request.path} ${request.body.length}>`),
    });
    const client = openTcp(server.port);
    client.write('GET /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello');
    await until(() => client.text().includes('</1 0>'));
    client.write('GET /2 HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => client.text().includes('</2 0>'));
    client.destroy();
  });

  it('sends a client that asks first on with its body', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const client = openTcp(server.port);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    await until(() => client.text().includes('100 Continue'));
    client.write('hello');
    await until(() => client.text().includes('200 OK'));
    expect(Buffer.from(server.requests[0]?.body as Uint8Array).toString()).toBe('hello');
    client.destroy();
  });

  it('ends, or makes wait, a connection that pipelines behind an answer that takes time', async ({
    onTestFinished,
  }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: (request) => delay(50).then(() => textResponse(200, `<${request.path}>`)),
    });
    const client = openTcp(server.port);
    client.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n');
    if (name === 'uws') {
      // A known trait of uWebSockets.js; nothing was done of the second request.
      await client.ended;
      expect(client.text()).toBe('');
      expect(server.requests.map(({ path }) => path)).toEqual(['/1']);
    } else {
      await until(() => client.text().includes('</2>'));
      expect(client.text().match(/<\/\d>/g)).toEqual(['</1>', '</2>']);
      client.destroy();
    }
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(200);
  });

  for (const excess of [1, 300_000, 20_000_000]) {
    it(`tells of a body ${excess} bytes over the limit, whose sender still reads the answer`, async ({
      onTestFinished,
    }) => {
      const server = await serve(create, onTestFinished, {
        onRequest: (request) => textResponse(request.body === 'too_large' ? 413 : 200, 'told'),
      });
      const call = (size: number) =>
        fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body: 'x'.repeat(size) });
      const answer = await call(TEST_OPTIONS.maxBodyBytes + excess);
      expect([answer.status, await answer.text()]).toEqual([413, 'told']);
      expect((await call(TEST_OPTIONS.maxBodyBytes)).status).toBe(200);
    });
  }

  it('tells of a body over the limit before it comes where the head says so', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: (request) => textResponse(request.body === 'too_large' ? 413 : 200, ''),
    });
    const client = openTcp(server.port);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n');
    await until(() => client.text().includes('413'));
    client.destroy();
  });

  it('answers by the head what it can, whatever comes of the body', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onHead: (request) => (request.header('authorization') === '' ? textResponse(401, '') : undefined),
    });
    const client = openTcp(server.port);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    await until(() => client.text().includes('401'));
    for (let i = 0; i < 10; i++) client.write('1\r\nx\r\n'.repeat(1_000));
    client.write('0\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nContent-Length: 2\r\n\r\nhi');
    await until(() => client.text().includes('200'));
    expect(server.requests.map(({ body }) => Buffer.from(body as Uint8Array).toString())).toEqual(['hi']);
    client.destroy();
    const body = Buffer.alloc(20_000_000);
    expect((await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body })).status).toBe(401);
  });

  it('holds no more of a body that comes in tiny chunks than its bytes', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, { options: { maxBodyBytes: 1_000_000 } });
    const client = openTcp(server.port);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const before = heldBytes();
    for (let i = 0; i < 20; i++) {
      client.write('1\r\nx\r\n'.repeat(10_000));
      await delay(5);
    }
    await delay(100);
    expect(heldBytes() - before).toBeLessThan(5_000_000);
    client.write('0\r\n\r\n');
    await until(() => server.requests.length === 1);
    expect(server.requests[0]?.body.length).toBe(200_000);
    client.destroy();
  });

  it('has room for so many bodies at a time, and for others when those are gone', async ({ onTestFinished }) => {
    const statusOf = { no_room: 503, too_large: 413 };
    const server = await serve(create, onTestFinished, {
      options: { maxBodiesBytes: 2 * TEST_OPTIONS.maxBodyBytes },
      onRequest: ({ body }) => delay(5).then(() => textResponse(typeof body === 'string' ? statusOf[body] : 200, '')),
    });
    const size = TEST_OPTIONS.maxBodyBytes - 10;
    const upload = () => {
      const client = openTcp(server.port);
      client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size + 1}\r\n\r\n${'x'.repeat(size)}`);
      return client;
    };
    const [first, second] = [upload(), upload()];
    await until(() => server.transport.openRequests === 2);
    await delay(50);
    const third = upload();
    await until(() => third.text().includes('503'));
    first.write('x');
    await until(() => first.text().includes('200'));
    second.destroy();
    await until(() => server.transport.openRequests === 0);
    for (let i = 0; i < 5; i++) {
      const body = 'x'.repeat(size);
      expect((await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body })).status).toBe(200);
    }
    for (const client of [first, third]) client.destroy();
  });

  if (name === 'ws') {
    it('does not read an endless body to its end', async ({ onTestFinished }) => {
      const server = await serve(create, onTestFinished, {
        onRequest: (request) => textResponse(request.body === 'too_large' ? 413 : 200, ''),
      });
      const client = openTcp(server.port);
      client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n');
      const flood = setInterval(() => client.write(Buffer.alloc(256 * 1024)), 1);
      onTestFinished(() => clearInterval(flood));
      await client.ended;
      expect(server.requests.map(({ body }) => body)).toEqual(['too_large']);
    });
  }

  it('never answers an upload that was given up', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    for (const head of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
      const client = openTcp(server.port);
      client.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n3\r\nabc\r\n`);
      await delay(20);
      client.destroy();
    }
    await delay(50);
    expect(server.requests).toEqual([]);
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(200);
  });

  it('drops an answer that nobody waits for any more', async ({ onTestFinished }) => {
    const release: (() => void)[] = [];
    const server = await serve(create, onTestFinished, {
      onRequest: () => new Promise((resolve) => release.push(() => resolve(textResponse(200, 'late')))),
    });
    const clients = Array.from({ length: 20 }, () => openTcp(server.port));
    for (const [i, client] of clients.entries()) {
      client.write(
        i % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' : 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na',
      );
    }
    await until(() => release.length === clients.length);
    for (const client of clients) client.destroy();
    await delay(20);
    for (const answer of release) answer();
    await delay(20);
    expect(server.requests[0]?.remoteAddress).toBeTypeOf('string');
    expect(server.requests[1]?.header('origin')).toBe('');
  });

  it('tells how many requests are open, and ends connections with their answers once it stops listening', async ({
    onTestFinished,
  }) => {
    const release: (() => void)[] = [];
    const server = await serve(create, onTestFinished, {
      onRequest: (request) =>
        new Promise((resolve) => release.push(() => resolve(textResponse(200, `<${request.method}>`)))),
    });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const ask = (method: string) =>
      new Promise<string | undefined>((resolve, reject) => {
        const options = { port: server.port, host: '127.0.0.1', method, agent };
        const request = httpRequest(options, (response) => {
          response.resume().on('end', () => resolve(response.headers.connection));
        });
        request.on('error', reject).end(method === 'POST' ? 'body' : undefined);
      });
    const answers = [ask('GET'), ask('POST'), ask('HEAD')];
    await until(() => release.length === 3);
    expect(server.transport.openRequests).toBe(3);
    server.transport.stopListening();
    for (const answer of release) answer();
    expect(await Promise.all(answers)).toEqual(['close', 'close', 'close']);
    await until(() => server.transport.openRequests === 0);
  });

  it('counts a request that its peer gave up until it is answered, and an upload given up no longer', async ({
    onTestFinished,
  }) => {
    let release = () => {};
    const server = await serve(create, onTestFinished, {
      onRequest: () =>
        new Promise((resolve) => {
          release = () => resolve(textResponse(200, ''));
        }),
    });
    const [whole, partial] = [openTcp(server.port), openTcp(server.port)];
    whole.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na');
    partial.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na');
    await until(() => server.transport.openRequests === 2 && server.requests.length === 1);
    whole.destroy();
    partial.destroy();
    await until(() => server.transport.openRequests === 1);
    await delay(20);
    expect(server.transport.openRequests).toBe(1);
    release();
    await until(() => server.transport.openRequests === 0);
  });

  it('serves a request that would rather have another protocol', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onRequest: ({ method, path, body }) => textResponse(200, `<${method} ${path} ${Buffer.from(body)}>`),
    });
    const client = openTcp(server.port);
    const h2c = 'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    client.write(`GET /1 HTTP/1.1\r\n${h2c}\r\n`);
    await until(() => client.text().includes('<GET /1 >'));
    client.write(`POST /2 HTTP/1.1\r\n${h2c}Content-Length: 5\r\n\r\nhel`);
    await delay(10);
    client.write('lo');
    await until(() => client.text().includes('<POST /2 hello>'));
    client.write('GET /3 HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => client.text().includes('<GET /3 >'));
    client.destroy();
  });

  if (name === 'ws') {
    it('ends a peer that sends its request too slowly, or does not take its answer, and no WebSocket', async ({
      onTestFinished,
    }) => {
      const options = { httpRequestMs: 1_500 };
      const server = await serve(create, onTestFinished, {
        options,
        onRequest: () => textResponse(200, 'z'.repeat(50_000_000)),
      });
      const { client, session } = await server.connect();
      const [slow, deaf] = [openTcp(server.port), openTcp(server.port)];
      slow.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
      const drip = setInterval(() => slow.write('x'), 50);
      onTestFinished(() => clearInterval(drip));
      deaf.pause();
      deaf.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await slow.ended;
      await until(() => server.transport.openRequests === 0);
      deaf.destroy();
      client.send('still here');
      await until(() => session.messages.length === 1);
    });
  }

  if (name === 'ws') {
    it('answers HTTP/1.0, and request targets in absolute form', async ({ onTestFinished }) => {
      const server = await serve(create, onTestFinished, {
        onRequest: ({ path, query }) => textResponse(200, `<${path} ${query}>`),
      });
      const old = openTcp(server.port);
      old.write('GET /health/ready HTTP/1.0\r\n\r\n');
      await old.ended;
      expect(old.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*<\/health\/ready >$/);
      const absolute = openTcp(server.port);
      absolute.write('GET http://x:1/a?b HTTP/1.1\r\nHost: x:1\r\n\r\n');
      await until(() => absolute.text().includes('</a b>'));
      absolute.write('GET HTTP://x HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => absolute.text().includes('</ >'));
      absolute.write('GET http://x?b HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => absolute.text().includes('</ b>'));
      absolute.destroy();
    });
  } else {
    it('refuses HTTP/1.0 and request targets in absolute form in words of its own', async ({ onTestFinished }) => {
      const server = await serve(create, onTestFinished);
      for (const line of ['GET / HTTP/1.0', 'GET http://x/ HTTP/1.1']) {
        const client = openTcp(server.port);
        client.write(`${line}\r\nHost: x\r\n\r\n`);
        await client.ended;
        expect(client.text()).toMatch(/^HTTP\/1\.1 505 /);
      }
      expect(server.requests).toEqual([]);
    });
  }

  it('labels what a refused upgrade says as text', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onUpgrade: () => ({ accept: false, status: 403, body: 'not from there' }),
    });
    const client = openTcp(server.port);
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n');
    client.write(`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`);
    await until(() => client.text().includes('not from there'));
    expect(client.text()).toMatch(/^content-type: text\/plain\r$/im);
    client.destroy();
  });

  it('survives what is not HTTP', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    for (const bytes of [
      '\r\n\r\n',
      'GET\r\n\r\n',
      '\x16\x03\x01\x02\x00',
      `GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(20_000)}\r\n`,
    ]) {
      const client = openTcp(server.port);
      client.write(bytes);
      await Promise.race([client.ended, delay(100)]);
      client.destroy();
    }
    expect(server.requests).toEqual([]);
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(200);
  });
}

/** This waits for a real timeout. */
export function transportHttpTimeoutCases(name: 'uws' | 'ws', create: CreateTransport): void {
  it('says how long an idle connection lives, and no other timeout cuts it short', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, { options: { httpHeadMs: 3_000, httpRequestMs: 3_000 } });
    const ask = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    const client = openTcp(server.port);
    client.write(ask);
    await until(() => client.text().includes('\r\n\r\n'));
    const seconds = Number(/^keep-alive: timeout=(\d+)\r$/im.exec(client.text())?.[1]);
    expect(seconds).toBe(name === 'ws' ? 75 : 7);
    await delay(7_000);
    client.write(ask);
    await until(() => client.text().match(/HTTP\/1.1 200/g)?.length === 2);
    client.write('HEAD / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => client.text().match(/^keep-alive/gim)?.length === 3);
    client.destroy();
  });
}
