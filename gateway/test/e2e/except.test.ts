/** `except`: everyone gets a message but one session, whose position goes on without it. */
import { once } from 'node:events';
import type { Dialect, Frame, Position, ServerFrame } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import { Contiguity } from '@fanfare/protocol/suite/contiguity';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const CHANNEL = 'demo:except';
const COUNT = 600;
/** Enough that a reader who pauses lags: more than the kernel and the gateway hold for it. */
const sizeOf = (n: number) => (n % 2 === 1 ? 60_000 : 100);
const PATIENCE = { timeout: 60_000 };

/** A connection that follows the channel, holds each frame to the rule of contiguity, and comes again when it lagged. */
class Reader {
  numbers: number[] = [];
  readonly faults: string[] = [];
  lags = 0;
  session = '';
  position: Position | undefined;
  readonly socket: WebSocket;
  readonly #dialect: Dialect;
  readonly #contiguity = new Contiguity();

  constructor(url: string, dialect: Dialect) {
    this.#dialect = dialect;
    this.socket = new WebSocket(url, dialect.subprotocol, { perMessageDeflate: false });
    onTestFinished(() => this.socket.terminate());
    this.socket.on('message', (data: Buffer) => {
      for (const frame of dialect.decodeAll(data)) this.#onFrame(frame as unknown as ServerFrame);
    });
    this.socket.on('close', (code) => this.faults.push(`closed with ${code}`));
  }

  async open(): Promise<void> {
    await once(this.socket, 'open');
    this.#send({ type: 'connect', id: 1 });
    this.subscribe();
    await expect.poll(() => this.position, PATIENCE).toBeDefined();
  }

  subscribe(since = this.position): void {
    this.#send({ type: 'subscribe', id: 2, channel: CHANNEL, ...(since && { since }) });
  }

  #send(frame: Frame): void {
    this.socket.send(this.#dialect.encode(frame));
  }

  #onFrame(frame: ServerFrame): void {
    const fault = this.#contiguity.take({ ...frame });
    if (fault) this.faults.push(fault);
    if (frame.type === 'connected') this.session = frame.session;
    if (frame.type === 'error' || frame.type === 'reset') this.faults.push(JSON.stringify(frame));
    if (frame.type === 'subscribed') this.position = { epoch: frame.epoch as string, offset: frame.offset as number };
    if (frame.type === 'message') this.numbers.push((frame.data as { n: number }).n);
    if (frame.type === 'message' || frame.type === 'position')
      this.position = { epoch: this.position?.epoch as string, offset: frame.offset as number };
    if (frame.type !== 'lagged') return;
    this.lags++;
    this.subscribe();
  }
}

describe.each(['uws', 'ws'])('over %s', (transport) => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess({ settings: { TRANSPORT: transport, LIMIT_BUFFERED_BYTES: '100000' } });
  });
  afterAll(() => gateway?.stop());

  it('live, in arrays, to one who lags, and again from the log', async () => {
    const dialects = [jsonDialect, msgpackDialect, jsonDialect, msgpackDialect];
    const readers = dialects.map((dialect) => new Reader(gateway.wsUrl, dialect));
    await Promise.all(readers.map((reader) => reader.open()));
    const slow = readers[2] as Reader;
    const start = readers[0]?.position as Position;
    // The last reader is excepted from nothing, and every fourth message from nobody here.
    const exceptOf = (n: number) => (n % 4 === 3 ? 'someone-elsewhere' : (readers[n % 4]?.session as string));
    const expected = readers.map((_, nth) =>
      Array.from({ length: COUNT }, (_, n) => n).filter((n) => nth === 3 || n % 4 !== nth),
    );
    slow.socket.pause();
    for (let first = 0; first < COUNT; first += 100) {
      const messages = Array.from({ length: 100 }, (_, nth) => {
        const n = first + nth;
        return { channel: CHANNEL, data: { n, fill: 'x'.repeat(sizeOf(n)) }, except: exceptOf(n) };
      });
      const { body } = await gateway.publish({ messages });
      expect((body.results as { error?: object }[]).filter(({ error }) => error)).toEqual([]);
    }
    slow.socket.resume();
    await expect
      .poll(() => readers.map(({ numbers }) => numbers.length), PATIENCE)
      .toEqual(expected.map((n) => n.length));
    expect(readers.map(({ numbers }) => numbers)).toEqual(expected);
    expect(slow.lags).toBeGreaterThan(0);
    // All of it from the log and the tail, over the same connections.
    for (const reader of readers) {
      reader.numbers = [];
      reader.subscribe(start);
    }
    await expect
      .poll(() => readers.map(({ numbers }) => numbers.length), PATIENCE)
      .toEqual(expected.map((n) => n.length));
    expect(readers.map(({ numbers }) => numbers)).toEqual(expected);
    expect(readers.map(({ position }) => position?.offset)).toEqual([COUNT, COUNT, COUNT, COUNT]);
    expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
  });

  it('by a client for itself alone, on durable and live channels; a backend says whose message it is', async () => {
    const [one, two] = [await FrameClient.open(gateway.port), await FrameClient.open(gateway.port)];
    onTestFinished(async () => void (await Promise.all([one.close(), two.close()])));
    const own = one.frames[0]?.session as string;
    for (const channel of ['demo:own', 'live:own']) {
      for (const client of [one, two]) await client.ask({ type: 'subscribe', channel });
      const publish = (fields: object) => one.ask({ type: 'publish', channel, ...fields });
      const other = two.frames[0]?.session as string;
      expect(await publish({ data: 1, except: other })).toMatchObject({ type: 'error', code: 'forbidden' });
      expect(await publish({ data: 1, except: '' })).toMatchObject({ type: 'error', code: 'bad_request' });
      // What a client says of its user is not looked at.
      expect(await publish({ data: 2, except: own, user: 'somebody' })).toMatchObject({ type: 'published' });
      await gateway.publish({ channel, data: 3, user: 'u1' });
      const seen = async (client: FrameClient) => {
        await client.until((frame) => frame.channel === channel && frame.data === 3);
        return client.frames
          .filter(({ type, channel: on }) => (type === 'message' || type === 'position') && on === channel)
          .map(({ type, data, user, offset }) => [type, data, user, offset]);
      };
      const at = (offset: number) => (channel === 'demo:own' ? offset : undefined);
      expect(await seen(two)).toEqual([
        ['message', 2, undefined, at(1)],
        ['message', 3, 'u1', at(2)],
      ]);
      const passedOver = [['position', undefined, undefined, 1]];
      expect(await seen(one)).toEqual([...(channel === 'demo:own' ? passedOver : []), ['message', 3, 'u1', at(2)]]);
    }
    for (const wrong of [{ user: '' }, { user: 'x'.repeat(256) }, { except: 1 }, { user: '\ud800' }]) {
      expect((await gateway.publish({ channel: 'demo:own', data: 1, ...wrong })).body).toMatchObject({
        code: 'bad_request',
      });
    }
  });
});
