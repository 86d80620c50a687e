/** Messages that leave as arrays: for readers of both dialects, slow ones too, they are what they would be one by one. */
import { once } from 'node:events';
import type { Dialect, Frame, Position, ServerFrame } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const CHANNEL = 'demo:arrays';
/** 3 MB, which a connection may have unanswered. The log keeps a thousand: the kernels must not take five rounds. */
const ROUND = 200;
/** Some fill a turn of the gateway alone, most share one with many others. */
const sizeOf = (n: number) => (n % 4 === 3 ? 60_000 : 100 + (n % 7) * 50);
const PATIENCE = { timeout: 60_000 };

/** A connection that follows the channel and checks each frame against the one before. */
class Reader {
  readonly numbers: number[] = [];
  readonly faults: string[] = [];
  arrays = 0;
  lags = 0;
  position: Position | undefined;
  readonly socket: WebSocket;
  readonly #dialect: Dialect;

  constructor(url: string, dialect: Dialect) {
    this.#dialect = dialect;
    this.socket = new WebSocket(url, dialect.subprotocol, { perMessageDeflate: false });
    onTestFinished(() => this.socket.terminate());
    this.socket.on('message', (data: Buffer) => {
      const frames = dialect.decodeAll(data);
      if (frames.length > 1) this.arrays++;
      for (const frame of frames) this.#onFrame(frame as unknown as ServerFrame);
    });
    this.socket.on('close', (code) => this.faults.push(`closed with ${code}`));
  }

  async open(): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, 'open');
    this.send({ type: 'connect', id: 1 });
    this.#subscribe();
    await expect.poll(() => this.position, PATIENCE).toBeDefined();
  }

  send(frame: Frame): void {
    this.socket.send(this.#dialect.encode(frame));
  }

  #subscribe(): void {
    this.send({ type: 'subscribe', id: 2, channel: CHANNEL, ...(this.position && { since: this.position }) });
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.type === 'subscribed') {
      if (this.position && !frame.recovered) this.faults.push('not recovered');
      this.position = { epoch: frame.epoch as string, offset: frame.offset as number };
    } else if (frame.type === 'message') {
      const { epoch, offset } = this.position as Position;
      if (frame.offset !== offset + 1) this.faults.push(`${frame.offset} after ${offset}`);
      this.position = { epoch, offset: frame.offset as number };
      this.numbers.push(Number.parseInt(frame.data as string, 10));
    } else if (frame.type === 'lagged') {
      this.lags++;
      this.#subscribe();
    } else if (frame.type !== 'connected' && frame.type !== 'ping') {
      this.faults.push(JSON.stringify(frame));
    }
  }
}

describe.each(['uws', 'ws'])('arrays of frames on %s', (transport) => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess({ settings: { TRANSPORT: transport, LIMIT_BUFFERED_BYTES: '100000' } });
  });
  afterAll(() => gateway.stop());

  it('bring every message once and in order, to slow readers by way of a lag', async () => {
    const quick = [jsonDialect, msgpackDialect].map((dialect) => new Reader(gateway.wsUrl, dialect));
    const slow = [jsonDialect, msgpackDialect].map((dialect) => new Reader(gateway.wsUrl, dialect));
    const readers = [...quick, ...slow];
    for (const reader of readers) await reader.open();
    for (const { socket } of slow) socket.pause();

    const publisher = new WebSocket(gateway.wsUrl, { perMessageDeflate: false });
    onTestFinished(() => publisher.terminate());
    await once(publisher, 'open');
    publisher.send('{"type":"connect","id":1}');
    const refused: string[] = [];
    publisher.on('message', (data) => String(data).includes('"error"') && refused.push(String(data)));
    const send = (from: number, to: number) => {
      for (let n = from; n < to; n++) {
        const data = `${n} `.padEnd(sizeOf(n), '.');
        publisher.send(JSON.stringify({ type: 'publish', id: n + 2, channel: CHANNEL, data }));
      }
    };
    // Until those who do not read are behind: how much the kernel takes is not ours to know.
    let published = 0;
    const lagged = async () => {
      const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
      return Number(/^fanfare_lagged_total\S* (\d+)/m.exec(text)?.[1]);
    };
    // A quick one may lag as well, on a busy machine, and knows of it.
    const lagsOfQuick = () => quick.reduce((sum, { lags }) => sum + lags, 0);
    while (published === 0 || (await lagged()) - lagsOfQuick() < slow.length) {
      send(published, published + ROUND);
      published += ROUND;
      for (const { numbers } of quick) await expect.poll(() => numbers.length, PATIENCE).toBe(published);
    }
    for (const { socket } of slow) socket.resume();
    for (const { numbers } of slow) await expect.poll(() => numbers.length, PATIENCE).toBe(published);

    expect(refused).toEqual([]);
    const all = Array.from({ length: published }, (_, n) => n);
    for (const { numbers, faults } of readers) expect([numbers, faults]).toEqual([all, []]);
    for (const { arrays } of readers) expect(arrays).toBeGreaterThan(0);
    for (const { lags } of slow) expect(lags).toBeGreaterThan(0);
  });
});
