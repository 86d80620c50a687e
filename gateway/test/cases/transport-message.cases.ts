import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createClientAddress } from '../../src/transport/client-address.js';
import { encodeFrame, OPCODES, RawWebSocketClient, UpgradeRefusedError } from '../support/raw-websocket-client.js';
import {
  type CreateTransport,
  RecordingSession,
  serve,
  TEST_OPTIONS,
  textResponse,
  until,
} from '../support/transport-harness.js';

export function transportMessageCases(create: CreateTransport): void {
  it('hands the upgrade request over as it came', async ({ onTestFinished }) => {
    const seen: unknown[] = [];
    const server = await serve(create, onTestFinished, {
      onUpgrade: (request) => {
        seen.push({
          path: request.path,
          query: request.query,
          subprotocols: request.subprotocols,
          authorization: request.header('authorization'),
          absent: request.header('x-absent'),
          remoteAddress: request.remoteAddress,
        });
        return undefined;
      },
    });
    await server.connect({
      path: '/ws?token=a%20b&x=1',
      subprotocols: ['one.v1', 'two.v1'],
      headers: { Authorization: 'Bearer t' },
    });
    expect(seen).toEqual([
      {
        path: '/ws',
        query: 'token=a%20b&x=1',
        subprotocols: ['one.v1', 'two.v1'],
        authorization: 'Bearer t',
        absent: '',
        remoteAddress: '127.0.0.1',
      },
    ]);
  });

  it('answers with the subprotocol the gateway chose, whichever it is', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onUpgrade: (request) => ({
        accept: true,
        subprotocol: request.subprotocols.at(-1),
        session: (socket) => new RecordingSession(socket),
      }),
    });
    const connect = async (subprotocols: string[]) => {
      const client = await RawWebSocketClient.connect({ port: server.port, subprotocols });
      client.destroy();
      return client.subprotocol;
    };
    expect(await connect(['a.v1', 'b.v1'])).toBe('b.v1');
    expect(await connect(['unknown'])).toBe('unknown');
    expect(await connect([])).toBeUndefined();
  });

  it('refuses an upgrade with status and body, and makes no session', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, {
      onUpgrade: () => ({ accept: false, status: 403, body: 'not from there' }),
    });
    const refused = await server.connect().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UpgradeRefusedError);
    expect(refused).toMatchObject({ status: 403, body: 'not from there\n' });
    expect(server.sessions).toEqual([]);
  });

  it('carries text and binary both ways, empty and large ones too', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    const large = Buffer.alloc(TEST_OPTIONS.maxFrameBytes, 7);
    session.onMessageHook = (data, binary) => session.socket.send(binary ? data : data.toString(), binary);
    const sent = ['grüße €', '', Buffer.from([0, 255, 1]), Buffer.alloc(0), large];
    for (const message of sent) client.send(message);
    for (const message of sent) {
      const frame = await client.next();
      expect(frame.opcode).toBe(typeof message === 'string' ? OPCODES.text : OPCODES.binary);
      expect(frame.payload.equals(Buffer.from(message as Buffer))).toBe(true);
    }
    expect(session.messages.map(({ binary }) => binary)).toEqual([false, false, true, true, true]);
  });

  it('puts fragmented messages together, with control frames between the fragments', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    client.sendFrame(OPCODES.text, 'one ', { fin: false });
    client.sendFrame(OPCODES.ping, 'still there?');
    client.sendFrame(OPCODES.continuation, 'mess', { fin: false });
    client.sendFrame(OPCODES.continuation, 'age');
    await until(() => session.messages.length === 1 && client.frames.length === 1);
    expect(session.messages[0]?.data.toString()).toBe('one message');
    expect(client.frames[0]).toMatchObject({ opcode: OPCODES.pong, payload: Buffer.from('still there?') });
  });

  it('takes frames that arrive byte by byte', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    for (const byte of encodeFrame(OPCODES.text, 'slowly')) {
      client.sendBytes(Buffer.from([byte]));
      await nextTurn();
    }
    await until(() => session.messages.length === 1);
    expect(session.messages[0]?.data.toString()).toBe('slowly');
  });

  it('publishes to the sockets on a topic, and to no others', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const [a, b, c] = [await server.connect(), await server.connect(), await server.connect()];
    a.session.socket.subscribe('json/x');
    b.session.socket.subscribe('json/x');
    b.session.socket.subscribe('json/x');
    c.session.socket.subscribe('json/y');
    expect(['json/x', 'json/y', 'json/z'].map(server.transport.subscribers)).toEqual([2, 1, 0]);
    server.transport.publish('json/x', 'to x', false);
    server.transport.publish('json/z', 'to nobody', false);
    server.transport.publish('json/y', Buffer.from('to y'), true);
    expect(await a.client.nextText()).toBe('to x');
    expect(await b.client.nextText()).toBe('to x');
    expect(await c.client.next()).toMatchObject({ opcode: OPCODES.binary, payload: Buffer.from('to y') });

    a.session.socket.unsubscribe('json/x');
    a.session.socket.unsubscribe('json/never');
    expect(server.transport.subscribers('json/x')).toBe(1);
    server.transport.publish('json/x', 'to b only', false);
    a.session.socket.send('to a', false);
    expect(await b.client.nextText()).toBe('to b only');
    expect(await a.client.nextText()).toBe('to a');
    expect(b.client.messages).toHaveLength(2);
  });

  it('treats topics as plain names, without wildcards or levels', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    for (const topic of ['json/#', 'json/+', 'json/', 'json']) session.socket.subscribe(topic);
    server.transport.publish('json/chat', 'not for me', false);
    server.transport.publish('json/+', 'for me', false);
    expect(await client.nextText()).toBe('for me');
  });

  it('forgets the topics of a socket that is gone', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.subscribe('t');
    client.destroy();
    await until(() => session.closes.length === 1);
    expect(server.transport.subscribers('t')).toBe(0);
  });

  it('keeps the order of publishes and direct sends to one socket', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.subscribe('t');
    session.socket.subscribe('u');
    const expected: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      await nextTurn();
      for (let i = 0; i < 10; i++) {
        const text = `${turn}.${i} ${'x'.repeat(i === 7 ? 20_000 : 20)}`;
        expected.push(text);
        if (i % 3 === 0) session.socket.send(text, false);
        else server.transport.publish(i % 3 === 1 ? 't' : 'u', text, false);
      }
    }
    await until(() => client.messages.length === expected.length);
    expect(client.messages.map(String)).toEqual(expected);
  });

  it('keeps that order for a socket that subscribes amid publishes', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const early = await server.connect();
    const late = await server.connect();
    early.session.socket.subscribe('t');
    server.transport.publish('t', '1', false);
    late.session.socket.cork(() => {
      late.session.socket.send('replayed 1', false);
      late.session.socket.subscribe('t');
    });
    server.transport.publish('t', '2', false);
    expect(await late.client.nextText()).toBe('replayed 1');
    expect(await late.client.nextText()).toBe('2');
    expect(await early.client.nextText()).toBe('1');
    expect(await early.client.nextText()).toBe('2');
  });

  it('publishes in order from inside a handler, hundreds in one turn', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    const other = await server.connect();
    session.socket.subscribe('t');
    other.session.socket.subscribe('t');
    const texts = Array.from({ length: 300 }, (_, i) => `${i}`);
    session.onMessageHook = () => {
      for (const text of texts) server.transport.publish('t', text, false);
      session.socket.send('reply', false);
    };
    client.send('go');
    await until(() => client.messages.length === 301 && other.client.messages.length === 300);
    expect(client.messages.map(String)).toEqual([...texts, 'reply']);
    expect(other.client.messages.map(String)).toEqual(texts);
  });

  it('sends what is corked together in order', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.cork(() => {
      for (let i = 0; i < 50; i++) session.socket.send(`${i} ${'y'.repeat(1_000)}`, false);
    });
    await until(() => client.messages.length === 50);
    expect(client.messages.map((message) => Number.parseInt(message.toString(), 10))).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
  });

  it('tells the address of the peer', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect({ headers: { 'X-Forwarded-For': '198.51.100.1' } });
    expect(session.socket.remoteAddress).toBe('127.0.0.1');
    client.close();
    await until(() => session.closes.length === 1);
    // Whoever counts by address has to find it again.
    expect(session.socket.remoteAddress).toBe('127.0.0.1');
  });

  it('tells the address that a trusted proxy tells', async ({ onTestFinished }) => {
    const seen: string[] = [];
    const server = await serve(create, onTestFinished, {
      options: { clientAddress: createClientAddress(['127.0.0.0/8']) },
      onUpgrade: (request) => {
        seen.push(request.remoteAddress);
        return undefined;
      },
      onRequest: ({ remoteAddress }) => textResponse(200, remoteAddress),
    });
    const headers = { 'X-Forwarded-For': '203.0.113.9, 198.51.100.1' };
    const { session } = await server.connect({ headers });
    expect([session.socket.remoteAddress, ...seen]).toEqual(['198.51.100.1', '198.51.100.1']);
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`, { headers })).text()).toBe('198.51.100.1');

    // As HAProxy does it: what it knows is in a line of its own, below the one that the client made up.
    const lines = 'X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.2\r\n';
    const twice = await server.connect({ headers: { 'X-Other': `1\r\n${lines.trim()}` } });
    expect(twice.session.socket.remoteAddress).toBe('198.51.100.2');
    const client = connect(server.port, '127.0.0.1');
    client.write(`GET / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
    const [answer] = await once(client, 'data');
    expect(String(answer)).toContain('198.51.100.2');
    client.destroy();
  });
}
