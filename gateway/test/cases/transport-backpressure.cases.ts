import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MAX_PUBLISHES_PER_TURN } from '../../src/transport/transport.js';
import {
  type CreateTransport,
  fillKernel,
  frameNumbers,
  numberedFrame,
  publishUntil,
  type RecordingSession,
  sendUntilDropped,
  serve,
  TEST_OPTIONS,
  until,
} from '../support/transport-harness.js';

const MARKER = 0xffff_ffff;

/** The numbers 0 to n-1. */
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

export function transportBackpressureCases(create: CreateTransport): void {
  const batches = { 100: [1, MAX_PUBLISHES_PER_TURN], [15 * 1024]: [1], [20 * 1024]: [1, 8], [64 * 1024]: [1, 3] };
  for (const [size, perTurns] of Object.entries(batches).map(([key, value]) => [Number(key), value] as const)) {
    for (const perTurn of perTurns) {
      it(`leaves no hole before a drop: ${size} byte frames, ${perTurn} a turn`, async ({ onTestFinished }) => {
        const server = await serve(create, onTestFinished);
        const slow = await Promise.all(upTo(4).map(() => server.connect()));
        const quick = await server.connect();
        const all = [...slow, quick];
        for (const { session } of all) {
          session.socket.subscribe('t');
          session.onDroppedHook = () => session.socket.unsubscribe('t');
        }
        for (const { client, session } of slow) {
          client.pause();
          fillKernel(session.socket);
        }
        const lagged = () => slow.every(({ session }) => session.drops > 0);
        const published = await publishUntil(server.transport, 't', size, perTurn, lagged);
        await publishUntil(server.transport, 't', size, perTurn, (more) => more * size > 512 * 1024);
        expect(server.transport.subscribers('t')).toBe(1);

        for (const { client } of slow) client.resume();
        for (const { client, session } of slow) {
          await until(() => session.socket.bufferedBytes === 0);
          expect(session.drains).toBeGreaterThan(0);
          expect(session.socket.send(numberedFrame(MARKER, size), true)).not.toBe('dropped');
          await until(() => client.frames.at(-1)?.payload.readUInt32BE() === MARKER);
          const numbers = frameNumbers(client.frames).slice(0, -1);
          expect(numbers.length).toBeLessThan(published);
          expect(numbers).toEqual(upTo(numbers.length));
        }
        // Whoever reads is not harmed by those who do not.
        await until(() => quick.client.frames.length >= published);
        expect(frameNumbers(quick.client.frames).slice(0, published)).toEqual(upTo(published));
        expect(quick.session.drops).toBe(0);
      });
    }
  }

  it('drops for many subscribers in one publish, all of which leave then', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, { options: { maxBufferedBytes: 1024 } });
    const slow = await Promise.all(upTo(60).map(() => server.connect()));
    for (const { client, session } of slow) {
      client.pause();
      session.socket.subscribe('big');
      session.socket.subscribe('other');
      session.onDroppedHook = () => {
        session.socket.unsubscribe('big');
        session.socket.unsubscribe('other');
      };
      // Fills the kernel's buffers and more, at once: no turn of the loop in between lets it drain.
      while (session.socket.bufferedBytes <= 1024) session.socket.send(Buffer.alloc(100_000), true);
    }
    server.transport.publish('big', Buffer.alloc(20 * 1024), true);
    expect(slow.map(({ session }) => session.drops)).toEqual(slow.map(() => 1));
    expect(server.transport.subscribers('other')).toBe(0);
    server.transport.publish('big', Buffer.alloc(20 * 1024), true);
    await nextTurn();
    expect(slow.map(({ session }) => session.drops)).toEqual(slow.map(() => 1));
  });

  it('lets a session close its socket, and others, when told of a drop', async ({ onTestFinished }) => {
    // Beyond 32 a turn drops are found while uWebSockets.js is amid a publish.
    for (const [size, perTurn] of [
      [100, 10],
      [100, 100],
      [20 * 1024, 10],
    ] as const) {
      const server = await serve(create, onTestFinished, { options: { maxBufferedBytes: 1024 } });
      const slow = await Promise.all(upTo(16).map(() => server.connect()));
      const bystander = await server.connect();
      bystander.session.socket.subscribe('t');
      for (const [i, { client, session }] of slow.entries()) {
        client.pause();
        fillKernel(session.socket);
        session.socket.subscribe('t');
        session.onDroppedHook = () => {
          slow[(i + 7) % slow.length]?.session.socket.terminate();
          session.socket.terminate();
        };
      }
      const ended = () => slow.every(({ session }) => session.closes.length > 0);
      await publishUntil(server.transport, 't', size, perTurn, ended);
      await until(() => bystander.client.messages.length > 0);
      expect(server.transport.subscribers('t')).toBe(1);
      expect(slow.every(({ session }) => session.closes.length === 1)).toBe(true);
    }
  });

  it('tells of a drop before anything else happens to the socket', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    session.socket.subscribe('t');
    client.pause();
    fillKernel(session.socket);
    const order: string[] = [];
    session.onDroppedHook = () => order.push('dropped');
    session.onDrainHook = () => order.push('drain');
    session.onMessageHook = () => order.push('message');
    client.send('hello');
    await until(() => session.messages.length === 1);
    await publishUntil(server.transport, 't', 1000, 30, () => session.drops > 0);
    client.resume();
    await until(() => session.socket.bufferedBytes === 0);
    // What the filler left behind may drain at any time before.
    expect(order.filter((event) => event !== 'drain').slice(0, 2)).toEqual(['message', 'dropped']);
    expect(order.at(-1)).toBe('drain');
  });

  it('says of direct sends whether they were sent, buffered or dropped', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const { client, session } = await server.connect();
    expect(session.socket.send('first', false)).toBe('sent');
    expect(await client.nextText()).toBe('first');
    client.pause();
    const results = new Set<string>();
    let accepted = 0;
    for (;;) {
      const result = session.socket.send(numberedFrame(accepted, 10_000), true);
      results.add(result);
      if (result === 'dropped') break;
      accepted++;
    }
    expect([...results]).toEqual(['sent', 'buffered', 'dropped']);
    expect(session.socket.bufferedBytes).toBeGreaterThan(TEST_OPTIONS.maxBufferedBytes);
    await until(() => session.drops === 1);
    client.resume();
    await until(() => session.socket.bufferedBytes === 0 && client.messages.length === accepted + 1);
    expect(session.drains).toBeGreaterThan(0);
    expect(frameNumbers(client.frames)).toEqual(upTo(accepted));
  });

  it('reports draining while a slow reader makes progress, not only at its end', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, { options: { maxBufferedBytes: 32 * 1024 * 1024 } });
    const { client, session } = await server.connect();
    client.pause();
    await sendUntilDropped(session.socket, 100_000);
    const levels: number[] = [];
    session.onDrainHook = () => levels.push(session.socket.bufferedBytes);
    client.resume();
    await until(() => session.socket.bufferedBytes === 0);
    expect(levels.length).toBeGreaterThan(3);
    expect(levels).toEqual([...levels].sort((a, b) => b - a));
    expect(levels.at(-1)).toBe(0);
  });

  it('takes a frame larger than the limit when nothing waits', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished, { options: { maxBufferedBytes: 1024 } });
    const { client, session } = await server.connect();
    expect(session.socket.send(Buffer.alloc(8 * 1024 * 1024, 1), true)).toBe('buffered');
    expect((await client.next()).payload.length).toBe(8 * 1024 * 1024);
  });

  it('holds a bounded amount for readers that stopped, however much is published', async ({ onTestFinished }) => {
    const server = await serve(create, onTestFinished);
    const slow = await Promise.all(upTo(8).map(() => server.connect()));
    for (const { client, session } of slow) {
      client.pause();
      fillKernel(session.socket);
      session.socket.subscribe('t');
    }
    const size = 16_000;
    await publishUntil(server.transport, 't', size, 16, () => slow.every(({ session }) => session.drops > 0));
    const before = process.memoryUsage().rss;
    await publishUntil(server.transport, 't', size, 16, (published) => published * size > 200 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    const limit = TEST_OPTIONS.maxBufferedBytes + 2 * size;
    expect(slow.every(({ session }: { session: RecordingSession }) => session.socket.bufferedBytes <= limit)).toBe(
      true,
    );
  });
}
