/** Very many clients of one channel lose their connections at once and come back with their positions. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { framesIn } from '../support/frames-in.js';
import { startGatewayProcess } from '../support/gateway-process.js';

const CLIENTS = 600;
/** Connections opened at a time at first; afterwards all come at once. */
const OPENING = 200;
/** Stored while they are away: more than a channel keeps at hand (256 KiB), so that the log has to be read. */
const MISSED = 90;
const FILLER = '.'.repeat(4_000);
/** Their positions differ by up to this, in no order. */
const SPREAD = 30;
const MOST_READS = 30;
/** They are back within that, unless the machine is busy: who comes when others have been served is read for anew. */
const BACK_MS = 5_000;
const PATIENCE = { timeout: 60_000 };
const CHANNEL = 'demo:storm';

/** 0 to SPREAD - 1, by a multiplicative hash. */
const scattered = (index: number) => (Math.imul(index, 2_654_435_761) >>> 8) % SPREAD;

interface Position {
  readonly epoch: string;
  readonly offset: number;
}

type Frame = { readonly type: string; readonly prev?: number; readonly recovered?: boolean } & Position;

/** The least that speaks the protocol: what the SDK costs two thousand times would be the test's own storm. */
class StormClient {
  position: Position | undefined;
  isLive = false;
  /** What did not follow from its position, and connections that failed. */
  readonly faults: string[] = [];
  socket: WebSocket | undefined;

  connect(url: string): void {
    const socket = new WebSocket(url, 'fanfare.json.v1', { perMessageDeflate: false });
    this.socket = socket;
    socket.on('open', () => {
      socket.send('{"type":"connect","id":1}');
      const since = this.position && { since: this.position };
      socket.send(JSON.stringify({ type: 'subscribe', id: 2, channel: CHANNEL, ...since }));
    });
    socket.on('message', (data: Buffer) => {
      for (const frame of framesIn<Frame>(data)) this.#onFrame(frame);
    });
    socket.on('error', ({ message }) => this.faults.push(message));
    socket.on('close', () => {
      this.isLive = false;
    });
  }

  #onFrame({ type, epoch, offset, prev = offset - 1, recovered }: Frame): void {
    if (type === 'subscribed') {
      const { position } = this;
      if (position && !(recovered && position.offset === offset)) this.faults.push(`subscribed at ${offset}`);
      this.position = { epoch, offset };
      this.isLive = true;
    } else if (type === 'message') {
      const { epoch: current = '', offset: last = Number.NaN } = this.position ?? {};
      if (!(prev <= last && last < offset)) this.faults.push(`${offset} after ${last}`);
      this.position = { epoch: current, offset };
    } else if (type === 'ping') {
      this.socket?.send('{"type":"pong"}');
    } else if (type !== 'connected') {
      this.faults.push(type);
    }
  }
}

it.each(['uws', 'ws'])(
  '%s: all are live again, nothing is lost, and the log is read a few times only',
  {
    timeout: 180_000,
  },
  async (transport) => {
    const gateway = await startGatewayProcess({
      settings: { TRANSPORT: transport },
      file: { namespaces: { demo: { subscribe: 'anyone', publish: 'anyone', history: { size: 10_000 } } } },
    });
    onTestFinished(() => gateway.stop());
    let offset = 0;
    let keys = 0;
    const publish = async (count: number) => {
      const messages = Array.from({ length: count }, () => ({ channel: CHANNEL, data: FILLER, key: `k${++keys}` }));
      // A kept connection may be reset under a storm: the keys make asking again safe.
      const ask = () => gateway.publish({ messages });
      const { status } = await ask().catch(ask);
      expect(status).toBe(200);
      offset += count;
    };
    const metric = async (name: string) => {
      const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
      return Number(new RegExp(`^${name}{[^}]*} (\\S+)`, 'm').exec(text)?.[1]);
    };
    const clients = Array.from({ length: CLIENTS }, () => new StormClient());
    onTestFinished(() => {
      for (const { socket } of clients) socket?.terminate();
    });
    const standAt = (wanted: number) => clients.filter(({ position }) => position?.offset === wanted).length;

    for (let first = 0; first < CLIENTS; first += OPENING) {
      const group = clients.slice(first, first + OPENING);
      for (const client of group) client.connect(gateway.wsUrl);
      await expect.poll(() => group.every(({ isLive }) => isLive), PATIENCE).toBe(true);
    }
    await publish(SPREAD);
    await expect.poll(() => standAt(offset), PATIENCE).toBe(CLIENTS);

    for (const [index, client] of clients.entries()) {
      client.socket?.terminate();
      const { epoch = '' } = client.position ?? {};
      client.position = { epoch, offset: offset - scattered(index) };
    }
    await expect.poll(() => metric('fanfare_connections'), PATIENCE).toBe(0);
    await publish(MISSED);

    const readsBefore = await metric('fanfare_log_reads_total');
    const comeAt = performance.now();
    let isOver = false;
    const publishing = (async () => {
      while (!isOver) {
        await publish(1);
        await sleep(250);
      }
    })();
    await Promise.all(
      clients.map(async (client) => {
        client.connect(gateway.wsUrl);
        await once(client.socket as WebSocket, 'open');
      }),
    );
    await expect.poll(() => clients.filter(({ isLive }) => isLive).length, PATIENCE).toBe(CLIENTS);
    const periods = Math.ceil((performance.now() - comeAt) / BACK_MS);
    isOver = true;
    await publishing;
    await publish(1);
    await expect.poll(() => standAt(offset), PATIENCE).toBe(CLIENTS);
    expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
    expect((await metric('fanfare_log_reads_total')) - readsBefore).toBeLessThanOrEqual(MOST_READS * periods);
    expect(await metric('fanfare_resumes_recovered_total')).toBe(CLIENTS);
  },
);
