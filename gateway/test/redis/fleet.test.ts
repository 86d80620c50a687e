/** `/v1/channels` and `/v1/nodes` over all gateways, seen from outside. */
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

async function ask(gateway: GatewayProcess, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway.httpUrl}${path}`, { headers: { authorization: 'Bearer dev' } });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

async function subscribe({ wsUrl }: GatewayProcess, channel: string): Promise<void> {
  const socket = new WebSocket(wsUrl);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.send('{"type":"connect","id":1}');
  socket.send(JSON.stringify({ type: 'subscribe', id: 2, channel }));
  await once(socket, 'message');
  await once(socket, 'message');
}

it('gateways over one Redis tell of each other, and of the one that stands still', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const start = async (node: string) => {
    const gateway = await startGatewayProcess({ settings: { REDIS_URL: redis.url, NODE: node } });
    onTestFinished(() => gateway.stop());
    return gateway;
  };
  const [a, b] = [await start('a'), await start('b')];
  const nodesAt = async (gateway: GatewayProcess) => {
    const { nodes, missing } = await ask(gateway, '/v1/nodes');
    return [(nodes as { node: string; connections: number }[]).map((one) => [one.node, one.connections]), missing];
  };
  await subscribe(a, 'demo:both');
  await subscribe(b, 'demo:both');
  await subscribe(b, 'live:b');
  for (const gateway of [a, b]) {
    await expect
      .poll(() => nodesAt(gateway))
      .toEqual([
        [
          ['a', 1],
          ['b', 2],
        ],
        undefined,
      ]);
    expect(await ask(gateway, '/v1/channels')).toEqual({
      channels: [
        { channel: 'demo:both', subscribers: 2 },
        { channel: 'live:b', subscribers: 1 },
      ],
    });
    expect(await ask(gateway, '/v1/channels?prefix=live:')).toEqual({
      channels: [{ channel: 'live:b', subscribers: 1 }],
    });
  }

  await b.signal('SIGSTOP');
  expect(await nodesAt(a)).toEqual([[['a', 1]], ['b']]);
  await b.signal('SIGCONT');
  await expect.poll(async () => (await nodesAt(a))[1]).toBeUndefined();

  await b.signal('SIGTERM');
  await b.exited;
  await expect.poll(() => nodesAt(a)).toEqual([[['a', 1]], undefined]);
});
