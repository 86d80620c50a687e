/** `FANFARE_WORKERS`: several processes on one port, seen from outside. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis, until } from '../support/redis-servers.js';

async function startWorkers(transport: string): Promise<GatewayProcess> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const gateway = await startGatewayProcess({
    settings: { WORKERS: '2', TRANSPORT: transport, REDIS_URL: redis.url },
  });
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** On the channel `demo:a`; the offsets it got. */
async function subscriber({ wsUrl }: GatewayProcess) {
  const socket = new WebSocket(wsUrl);
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  const offsets: number[] = [];
  const node = new Promise<string>((resolve) => {
    let name = '';
    socket.on('message', (text) => {
      const frame = JSON.parse(String(text)) as { type: string; node: string; offset: number };
      if (frame.type === 'connected') name = frame.node;
      if (frame.type === 'subscribed') resolve(name);
      if (frame.type === 'message') offsets.push(frame.offset);
    });
  });
  await once(socket, 'open');
  socket.send('{"type":"connect","id":1}');
  socket.send('{"type":"subscribe","id":2,"channel":"demo:a"}');
  return { node: await node, offsets, closed };
}

/** On both workers; the kernel decides who gets a connection. */
async function subscribersOnBoth(gateway: GatewayProcess) {
  const all: Awaited<ReturnType<typeof subscriber>>[] = [];
  await until('both workers have connections', async () => {
    all.push(await subscriber(gateway));
    return new Set(all.map(({ node }) => node)).size === 2;
  });
  return all;
}

/** Processes that a gateway started. */
async function workerPids({ pid }: GatewayProcess): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

describe.each(['uws', 'ws'])('two workers over %s', (transport) => {
  it('are one gateway on one free port', async () => {
    const gateway = await startWorkers(transport);
    const subscribers = await subscribersOnBoth(gateway);
    for (let n = 1; n <= 10; n++) await gateway.publish({ channel: 'demo:a', data: n });
    for (const { offsets } of subscribers) await expect.poll(() => offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const ask = (path: string) => fetch(gateway.httpUrl + path, { headers: { authorization: 'Bearer dev' } });
    const metrics = await (await ask('/metrics')).text();
    expect(metrics).toMatch(new RegExp(`^fanfare_connections\\{.*\\} ${subscribers.length}$`, 'm'));
    const { channels } = (await (await ask('/v1/channels')).json()) as { channels: unknown };
    expect(channels).toEqual([{ channel: 'demo:a', subscribers: subscribers.length }]);
    const { nodes } = (await (await ask('/v1/nodes')).json()) as { nodes: { node: string }[] };
    expect(nodes.map(({ node }) => node)).toEqual([...new Set(subscribers.map(({ node }) => node))].sort());
    await gateway.signal('SIGTERM');
    for (const { closed } of subscribers) expect((await closed)[0]).toBe(4000);
    expect(await gateway.exited).toEqual([0, null]);
  });

  it('replace one that is killed', async () => {
    const gateway = await startWorkers(transport);
    const before = await workerPids(gateway);
    expect(before).toHaveLength(2);
    process.kill(before[0] as number, 'SIGKILL');
    await until('another worker runs', async () => {
      const now = await workerPids(gateway);
      return now.length === 2 && !now.includes(before[0] as number);
    });
    await subscribersOnBoth(gateway);
    expect(gateway.output()).toContain('worker died, replacing it');
  });
});
