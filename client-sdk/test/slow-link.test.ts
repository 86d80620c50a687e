import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { type Client, createClient } from '../src/index.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startGateway(): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess();
  cleanups.push(() => gateway.stop());
  return gateway;
}

function clientOf(url: string, requestTimeoutMs: number): Client {
  const client = createClient({ url, requestTimeoutMs });
  cleanups.push(() => client.close());
  client.connect();
  return client;
}

/** A wire on which so many bytes a second come down; the gateway's socket fills behind it. */
async function startSlowLink(targetPort: number, bytesPerSecond: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dial(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      client.write(bytes);
      upstream.pause();
      setTimeout(() => upstream.resume(), (bytes.length * 1_000) / bytesPerSecond);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe('over a slow link', () => {
  it('what was missed comes in full, though an answer takes longer than a timeout', async () => {
    const gateway = await startGateway();
    const channels = Array.from({ length: 40 }, (_, n) => `demo:${n}`);
    const perChannel = 50;
    const text = 'x'.repeat(1_000);
    const heads = new Map<string, { epoch: string; offset: number }>();
    for (let n = 0; n <= perChannel; n++) {
      const { body } = await gateway.publish({ messages: channels.map((channel) => ({ channel, data: { n, text } })) });
      if (n > 0) continue;
      for (const result of body.results as { channel: string; epoch: string; offset: number }[])
        heads.set(result.channel, { epoch: result.epoch, offset: result.offset });
    }
    // 2 MB, some 5 s; what fits into the buffers of sockets on the way is still much more than a timeout.
    const port = await startSlowLink(gateway.port, 400_000);
    const client = clientOf(`ws://127.0.0.1:${port}/ws`, 2_000);
    const seen = new Map(channels.map((channel) => [channel, [] as number[]]));
    for (const channel of channels) {
      client
        .channel<{ n: number }>(channel)
        .subscribe(({ data }) => seen.get(channel)?.push(data.n), { since: heads.get(channel) });
    }
    const all = Array.from({ length: perChannel }, (_, n) => n + 1);
    const isComplete = () => [...seen.values()].every(({ length }) => length >= perChannel);
    for (let waitedMs = 0; waitedMs < 60_000 && !isComplete(); waitedMs += 50) await sleep(50);
    expect([...seen.values()]).toEqual(channels.map(() => all));
    expect(client.stats).toMatchObject({ recovered: channels.length, resets: 0, gaps: 0, reconnects: 0 });
  });
});
