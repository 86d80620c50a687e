import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

const TIMEOUT_MS = 240_000;
const MESSAGE_BYTES = 4 * 1024 * 1024;
/** Of which each client has missed one to all, so that few ask for the same page. */
const MESSAGES = 6;
const { channels: CHANNELS, clients: CLIENTS } =
  process.env.FANFARE_TEST_FAULTS === 'long' ? { channels: 10, clients: 150 } : { channels: 3, clients: 18 };

/** A client that comes back to a channel, and reads no more of large frames than what they are. */
class Returning {
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async open({ wsUrl }: GatewayProcess): Promise<Returning> {
    const socket = new WebSocket(wsUrl, { maxPayload: 0 });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connect', id: 1 }));
    return new Returning(socket);
  }

  /** Resolves with the offsets that it gets behind `since`, once it has the last one. */
  resume(channel: string, since: { epoch: string; offset: number }): Promise<number[]> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const offsets: number[] = [];
      socket.on('message', (bytes: Buffer) => {
        const text = bytes.toString('utf8', 0, 400);
        for (const [, type, rest = ''] of text.matchAll(/"type":"(\w+)"(.*?)(?=}|"data"|$)/g)) {
          if (type === 'message') offsets.push(Number(/"offset":(\d+)/.exec(rest)?.[1]));
          else if (type === 'reset' || type === 'error') reject(new Error(rest));
        }
        if (offsets.at(-1) === MESSAGES) socket.close();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(offsets));
      socket.send(JSON.stringify({ type: 'subscribe', id: 2, channel, since }));
    });
  }
}

async function brokerEvents({ httpUrl }: GatewayProcess): Promise<Record<string, number>> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const samples = text.matchAll(/^fanfare_broker_events_total{.*\bevent="([^"]*)".*} (\d+)/gm);
  return Object.fromEntries([...samples].map(([, event, count]) => [event, Number(count)]));
}

it(`${CLIENTS} clients resume over messages of 4 MiB, and Redis cuts nobody by its default limits`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const servers = await startRedis();
  onTestFinished(() => servers.stop());
  const limits = (await servers.node.client.config('GET', 'client-output-buffer-limit')) as string[];
  expect(limits[1]).toContain('pubsub 33554432 8388608 60');
  const gateway = await startGatewayProcess({
    settings: { REDIS_URL: servers.url, LIMIT_MESSAGE_BYTES: String(MESSAGE_BYTES) },
  });
  onTestFinished(() => gateway.stop());
  const text = 'x'.repeat(MESSAGE_BYTES - 2);
  const channels = Array.from({ length: CHANNELS }, (_, n) => `demo:large-${n}`);
  const epochs: string[] = [];
  for (const channel of channels) {
    for (let n = 1; n <= MESSAGES; n++) {
      const { status, body } = await gateway.publish({ channel, data: text });
      expect(status).toBe(200);
      epochs[channels.indexOf(channel)] = String(body.epoch);
    }
  }

  const listener = await FrameClient.open(gateway.port);
  await listener.ask({ type: 'subscribe', channel: 'demo:other' });
  let isOver = false;
  let heard = 0;
  let longestMs = 0;
  const others = (async () => {
    while (!isOver) {
      const startedAt = Date.now();
      await gateway.publish({ channel: 'demo:other', data: ++heard });
      await listener.until(({ offset }) => offset === heard);
      longestMs = Math.max(longestMs, Date.now() - startedAt);
      await delay(20);
    }
  })();
  others.catch(() => {}); // its failure shows below
  const returning = await Promise.all(Array.from({ length: CLIENTS }, () => Returning.open(gateway)));
  const startedAt = Date.now();
  const resumed = await Promise.all(
    returning.map((client, n) => {
      const nth = n % CHANNELS;
      const offset = Math.floor(n / CHANNELS) % MESSAGES;
      return client.resume(channels[nth] as string, { epoch: epochs[nth] as string, offset });
    }),
  );
  const heardMeanwhile = heard;
  const tookMs = Date.now() - startedAt;
  isOver = true;
  await others;
  console.log(
    `${CLIENTS} clients resumed over messages of 4 MiB in ${tookMs} ms; another channel heard ${heardMeanwhile} messages, each within ${longestMs} ms`,
  );
  for (const [n, offsets] of resumed.entries()) {
    const from = Math.floor(n / CHANNELS) % MESSAGES;
    expect(offsets).toEqual(Array.from({ length: MESSAGES - from }, (_, i) => from + i + 1));
  }
  expect(heardMeanwhile).toBeGreaterThan(2);
  expect(await brokerEvents(gateway)).toMatchObject({ lost: 0 });
  await listener.close();
});
