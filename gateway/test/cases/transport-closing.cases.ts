import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { encodeFrame, OPCODES, RawWebSocketClient } from '../support/raw-websocket-client.js';
import {
  type CreateTransport,
  RecordingSession,
  type Served,
  sendUntilDropped,
  serve,
  TEST_OPTIONS,
  until,
} from '../support/transport-harness.js';

type Connected = Awaited<ReturnType<Served['connect']>>;

export function transportClosingCases(create: CreateTransport): void {
  it('closes with code and reason, and says so once', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.send('last words', false);
    session.socket.close(4001, 'lagging');
    expect(session.closes).toEqual([]);
    session.socket.close(4002, 'too late');
    expect(await client.closed).toEqual({ code: 4001, reason: 'lagging' });
    expect(client.messages.map(String)).toEqual(['last words']);
    await until(() => session.closes.length > 0);
    await delay(20);
    expect(session.closes).toEqual([{ code: 4001, reason: 'lagging' }]);
  });

  it('lets a session send and close as soon as it is made', async ({ onTestFinished }) => {
    const made: RecordingSession[] = [];
    const server = await serve(create, onTestFinished, {
      onUpgrade: (request) => ({
        accept: true,
        subprotocol: request.subprotocols[0],
        session: (socket) => {
          socket.subscribe('t');
          socket.send('goodbye', false);
          socket.close(4404, 'unsupported subprotocol');
          const session = new RecordingSession(socket);
          made.push(session);
          return session;
        },
      }),
    });
    const client = await RawWebSocketClient.connect({ port: server.port, subprotocols: ['unknown.v9'] });
    expect(await client.closed).toEqual({ code: 4404, reason: 'unsupported subprotocol' });
    expect(client.subprotocol).toBe('unknown.v9');
    expect(client.messages.map(String)).toEqual(['goodbye']);
    await until(() => made[0]?.closes.length === 1);
    expect(server.transport.subscribers('t')).toBe(0);
  });

  it('takes calls after the transport itself was closed', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    await server.connect();
    await server.transport.close();
    server.transport.publish('t', 'nobody', false);
    server.transport.stopListening();
    expect(server.transport.subscribers('t')).toBe(0);
    await server.transport.close();
  });

  it('cuts a reason to 123 bytes, between characters', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const reasons = ['€'.repeat(60), `a${'€'.repeat(60)}`, 'x'.repeat(500), '😀'.repeat(31)];
    const expected = ['€'.repeat(41), `a${'€'.repeat(40)}`, 'x'.repeat(123), '😀'.repeat(30)];
    for (const [i, reason] of reasons.entries()) {
      const { client, session } = await server.connect();
      session.socket.close(4000, reason);
      expect(await client.closed).toEqual({ code: 4000, reason: expected[i] });
    }
  });

  it('tells code and reason the peer closed with', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    client.close(4321, 'geht schlafen, grüßt');
    await until(() => session.closes.length === 1);
    expect(session.closes).toEqual([{ code: 4321, reason: 'geht schlafen, grüßt' }]);
    expect((await client.closed).code).toBe(4321);
  });

  it('tells 1005 for a close frame without a code, 1006 without a close frame', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const polite = await server.connect();
    const rude = await server.connect();
    polite.client.sendFrame(OPCODES.close);
    rude.client.destroy();
    await until(() => polite.session.closes.length === 1 && rude.session.closes.length === 1);
    expect(polite.session.closes[0]?.code).toBe(1005);
    expect(rude.session.closes).toEqual([{ code: 1006, reason: '' }]);
  });

  it('takes half an end for an end', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect({ endsWithServer: false });
    client.endHalf();
    await until(() => session.closes.length === 1);
    expect(session.closes[0]?.code).toBe(1006);
  });

  it('terminates without a close frame', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.terminate();
    expect(session.closes).toEqual([]);
    expect(await client.closed).toEqual({ code: 1006, reason: '' });
    await until(() => session.closes.length === 1);
    expect(session.closes[0]?.code).toBe(1006);
  });

  it('takes every call after the end', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { session } = await server.connect();
    const { socket } = session;
    socket.subscribe('t');
    socket.terminate();
    for (let round = 0; round < 2; round++) {
      expect(socket.send('x', false)).toBe('dropped');
      let corked: unknown;
      socket.cork(() => {
        corked = socket.send('y', false);
      });
      expect(corked).toBe('dropped');
      socket.subscribe('u');
      socket.unsubscribe('t');
      socket.close(1000, '');
      socket.terminate();
      await until(() => session.closes.length === 1);
    }
    expect(socket.bufferedBytes).toBe(0);
    expect(socket.remoteAddress).toBeTypeOf('string');
    expect(server.transport.subscribers('t') + server.transport.subscribers('u')).toBe(0);
    expect(session.drops).toBe(0);
    expect(session.closes).toHaveLength(1);
  });

  it('tells nothing of what a peer sends after it was closed', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.onMessageHook = () => session.socket.close(4400, 'malformed');
    client.sendBytes(Buffer.concat(['a', 'b', 'c'].map((text) => encodeFrame(OPCODES.text, text))));
    await client.closed;
    await until(() => session.closes.length === 1);
    expect(session.messages).toHaveLength(1);
  });

  it('ends the link of a frame over the limit, and of malformed bytes, and no other', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const neighbour = await server.connect();
    const tooLong = TEST_OPTIONS.maxFrameBytes + 1;
    const hugeHead = Buffer.from([0x82, 0xff, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    const attacks = {
      'a large frame': encodeFrame(OPCODES.binary, Buffer.alloc(tooLong)),
      'a frame announced as huge': hugeHead,
      'large by its fragments': Buffer.concat([
        encodeFrame(OPCODES.binary, Buffer.alloc(tooLong / 2), { fin: false }),
        encodeFrame(OPCODES.continuation, Buffer.alloc(tooLong / 2), { fin: false }),
        encodeFrame(OPCODES.continuation, Buffer.alloc(10)),
      ]),
      'text that is not UTF-8': encodeFrame(OPCODES.text, Buffer.from([0xc3, 0x28])),
      'a reserved bit': Buffer.from([0xc1, 0x80, 0, 0, 0, 0]),
      'a reserved opcode': encodeFrame(3, 'x'),
      'a ping over 125 bytes': encodeFrame(OPCODES.ping, Buffer.alloc(200)),
      'a fragmented ping': encodeFrame(OPCODES.ping, 'x', { fin: false }),
    };
    for (const [attack, bytes] of Object.entries(attacks)) {
      const { client, session } = await server.connect();
      client.sendBytes(bytes);
      await until(() => session.closes.length === 1).catch(() => expect.fail(`still open after ${attack}`));
      expect([1002, 1006, 1007, 1009], attack).toContain(session.closes[0]?.code);
      expect(session.messages, attack).toEqual([]);
      await client.closed;
    }
    neighbour.client.send('still fine');
    await until(() => neighbour.session.messages.length === 1);
  });

  it('survives 500 sockets that end at once, and 500 it ends itself', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const neighbour = await server.connect();
    neighbour.session.socket.subscribe('t');
    for (const endAll of ['by the peers', 'by the gateway'] as const) {
      const many: Connected[] = [];
      for (let i = 0; i < 500; i++) many.push(await server.connect());
      for (const { session } of many) session.socket.subscribe('t');
      expect(server.transport.subscribers('t')).toBe(501);
      server.transport.publish('t', 'all', false);
      for (const [i, { client, session }] of many.entries()) {
        if (endAll === 'by the peers') client.destroy();
        else if (i % 2 === 0) session.socket.close(1001, 'stopping');
        else session.socket.terminate();
      }
      server.transport.publish('t', 'few', false);
      await until(() => many.every(({ session }) => session.closes.length > 0));
      expect(many.every(({ session }) => session.closes.length === 1)).toBe(true);
      expect(server.transport.subscribers('t')).toBe(1);
    }
    await until(() => neighbour.client.messages.length === 4);
  });

  it('ends everything when it is closed, and has told so when that resolves', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const many: Connected[] = [];
    for (let i = 0; i < 50; i++) many.push(await server.connect());
    many[0]?.client.pause();
    await server.transport.close();
    expect(many.map(({ session }) => session.closes)).toEqual(many.map(() => [{ code: 1006, reason: '' }]));
    many[0]?.client.resume();
    expect(await Promise.all(many.map(({ client }) => client.closed))).toEqual(
      many.map(() => ({ code: 1006, reason: '' })),
    );
  });

  it('sends what waits before it closes', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.subscribe('t');
    client.pause();
    const accepted = await sendUntilDropped(session.socket, 20_000);
    session.socket.close(4001, 'lagging');
    expect(server.transport.subscribers('t')).toBe(0);
    // It comes while the rest still waits, and is told to nobody.
    client.sendBytes(encodeFrame(OPCODES.text, 'late'));
    await delay(20);
    client.resume();
    expect(await client.closed).toEqual({ code: 4001, reason: 'lagging' });
    expect(session.messages).toEqual([]);
    expect(client.messages).toHaveLength(accepted);
    await until(() => session.closes.length === 1);
    expect(session.closes[0]?.code).toBe(4001);
  });
}

/** These wait for real timeouts. */
export function transportClosingTimeoutCases(name: 'uws' | 'ws', create: CreateTransport): void {
  it('cuts a link whose peer does not read the close frame', async ({ onTestFinished, expect }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    client.pause();
    await sendUntilDropped(session.socket, 20_000);
    const dropsBefore = session.drops;
    session.socket.close(4001, 'lagging');
    expect(session.socket.send('more', false)).toBe('dropped');
    await until(() => session.closes.length === 1);
    expect(session.closes).toEqual([{ code: 1006, reason: '' }]);
    expect(session.drops).toBe(dropsBefore);
  });

  it('ends a link whose peer does not answer the close frame', async ({ onTestFinished, expect }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect({ answersClose: false, endsWithServer: false });
    session.socket.close(4002, 'timeout');
    await until(() => session.closes.length === 1);
    await until(() => client.frames.length === 1);
    expect(client.frames[0]?.opcode).toBe(OPCODES.close);
    // Neither side of it stays in the kernel: bytes sent to the ended link are refused.
    const noise = setInterval(() => client.sendBytes(Buffer.alloc(1)), 100);
    onTestFinished(() => clearInterval(noise));
    await client.closed;
  });

  it('terminates a socket without traffic, and no other', async ({ onTestFinished, expect }) => {
    const server = await serve(create, onTestFinished, { options: { idleTimeoutMs: 8_000 } });
    const startedMs = performance.now();
    const silent = await server.connect();
    const talking = await server.connect();
    const ponging = await server.connect();
    silent.session.socket.subscribe('t');
    const traffic = setInterval(() => {
      talking.client.send('hello');
      ponging.client.sendFrame(OPCODES.pong);
      // What is sent to a peer is no sign of its life.
      server.transport.publish('t', 'anyone?', false);
    }, 1_000);
    onTestFinished(() => clearInterval(traffic));
    await until(() => silent.session.closes.length === 1, 40_000);
    // Timers of uWebSockets.js count in steps of 4 s.
    expect(performance.now() - startedMs).toBeGreaterThan(name === 'uws' ? 3_900 : 7_900);
    expect(silent.session.closes).toEqual([{ code: 1006, reason: '' }]);
    await delay(4_500);
    expect([...talking.session.closes, ...ponging.session.closes]).toEqual([]);
  });
}
