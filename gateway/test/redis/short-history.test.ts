/** A history shorter than a burst: who reads fast gets what was pushed, though the log has dropped it by then. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Fields, FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const BATCH = 100;
const TEXT = 'x'.repeat(60_000);
const CHANNEL = 'short:burst';

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

async function start(transport: string): Promise<{ gateway: GatewayProcess; clients: FrameClient[]; epoch: unknown }> {
  await servers.node.client.flushall();
  const gateway = await startGatewayProcess({
    // Readers that a busy machine makes slow are no matter of this test: none is to lag.
    settings: { REDIS_URL: servers.url, TRANSPORT: transport, LIMIT_BUFFERED_BYTES: String(64 * 1024 * 1024) },
    file: { namespaces: { short: { history: { size: 10 }, subscribe: 'anyone' } } },
  });
  onTestFinished(() => gateway.stop());
  const clients = await Promise.all([1, 2, 3].map(() => FrameClient.open(gateway.port)));
  const joined = await Promise.all(clients.map((client) => client.ask({ type: 'subscribe', channel: CHANNEL })));
  return { gateway, clients, epoch: joined[0]?.epoch };
}

async function publishBatch(gateway: GatewayProcess): Promise<void> {
  const messages = Array.from({ length: BATCH }, () => ({ channel: CHANNEL, data: TEXT }));
  expect((await gateway.publish({ messages })).status).toBe(200);
}

const reached = (offset: number) => (frame: Fields) => frame.type === 'message' && frame.offset === offset;

/** The offsets of the messages, and the reasons of resets. @throws if something is missing that nobody told of. */
function toldTo({ frames }: FrameClient): { offsets: number[]; resets: unknown[] } {
  const offsets: number[] = [];
  const resets: unknown[] = [];
  let at = 0;
  for (const { type, offset, reason } of frames) {
    if (type === 'reset') {
      resets.push(reason);
      at = Number(offset);
    } else if (type === 'message') {
      expect(offset).toBe(at + 1);
      at = Number(offset);
      offsets.push(at);
    }
  }
  return { offsets, resets };
}

describe.each(['uws', 'ws'])('with a history of 10, over %s', (transport) => {
  it('fast subscribers get all of a batch of 100 times 60 KB, whoever joins meanwhile', async () => {
    const { gateway, clients, epoch } = await start(transport);
    const publishing = publishBatch(gateway);
    const starts = [{}, { rewind: 5 }, { since: { epoch, offset: 0 } }];
    const joining = Array.from({ length: 12 }, async (_, n) => {
      await delay(n * 20);
      const client = await FrameClient.open(gateway.port);
      await client.ask({ type: 'subscribe', channel: CHANNEL, ...starts[n % starts.length] });
      return client;
    });
    await publishing;
    for (const client of clients) {
      await client.until(reached(BATCH));
      expect(toldTo(client)).toEqual({ offsets: Array.from({ length: BATCH }, (_, n) => n + 1), resets: [] });
    }
    await Promise.all([...clients, ...(await Promise.all(joining))].map((client) => client.close()));
  });

  it('they are told what was more than the gateway may hold, and get all that it could', async () => {
    const { gateway, clients } = await start(transport);
    // 18 MB at once; 8 MiB may wait.
    await Promise.all([1, 2, 3].map(() => publishBatch(gateway)));
    for (const client of clients) {
      await client.until(reached(3 * BATCH));
      const { offsets, resets } = toldTo(client);
      expect(offsets.length).toBeGreaterThan(BATCH);
      expect(new Set(resets)).toEqual(new Set(offsets.length < 3 * BATCH ? ['expired'] : []));
    }
    await Promise.all(clients.map((client) => client.close()));
  });
});
