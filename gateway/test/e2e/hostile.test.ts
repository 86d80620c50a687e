/** Clients that do not play by the rules: each is shown out, and nobody else notices. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const anyone = { subscribe: 'anyone', publish: 'anyone' };

async function start(
  { onTestFinished }: TestContext,
  transport: string,
  settings: Record<string, string>,
): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    settings: { TRANSPORT: transport, MODE: 'production', HOST: '127.0.0.1', API_KEYS: 'key', ...settings },
    file: { namespaces: { demo: anyone } },
  });
  onTestFinished(() => gateway.stop());
  return gateway;
}

async function connect({ onTestFinished }: TestContext, { wsUrl }: GatewayProcess): Promise<WebSocket> {
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.send('{"type":"connect","id":1}');
  await once(socket, 'message');
  return socket;
}

async function connections({ httpUrl }: GatewayProcess): Promise<number> {
  // A connection of its own: one that is kept alive may be closed by the gateway in the moment it is used again.
  const text = await (await fetch(`${httpUrl}/metrics`, { headers: { connection: 'close' } })).text();
  return Number(/^fanfare_connections\{.*\} (\d+)$/m.exec(text)?.[1]);
}

describe.concurrent.each(['uws', 'ws'])('over %s', (transport) => {
  it('one that reads nothing is closed after lagMs, though it sends', async (context) => {
    const { expect, onTestFinished } = context;
    const gateway = await start(context, transport, { LIMIT_LAG_MS: '2000', LIMIT_PUBLISHES_PER_SECOND: '0' });
    const reader = await connect(context, gateway);
    // More than the kernel takes in for a reader that does not read.
    const batch = Array.from({ length: 120 }, () => ({ channel: 'demo:a', data: 'x'.repeat(60_000) }));
    for (let n = 0; n < 4; n++) await gateway.publish({ messages: batch });
    expect(await connections(gateway)).toBe(1);
    reader.send('{"type":"subscribe","id":2,"channel":"demo:a","rewind":480}');
    reader.pause();
    const chatter = setInterval(() => reader.send('{"type":"pong"}'), 200);
    onTestFinished(() => clearInterval(chatter));
    await expect.poll(() => connections(gateway), { timeout: 30_000, interval: 500 }).toBe(0);
  });

  it('one that floods is sent away, and others are served', async (context) => {
    const { expect } = context;
    const gateway = await start(context, transport, { LIMIT_COMMANDS_PER_SECOND: '20' });
    const flooder = await connect(context, gateway);
    const closed = once(flooder, 'close') as Promise<[number]>;
    let refused = 0;
    flooder.on('message', (text) => {
      if (JSON.parse(String(text)).code === 'rate_limited') refused++;
    });
    for (let id = 2; id < 5_000; id++) flooder.send(JSON.stringify({ type: 'wave', id }));
    expect((await closed)[0]).toBe(4429);
    expect(refused).toBeGreaterThan(1_000);
    expect(refused).toBeLessThanOrEqual(2_000);
    const other = await connect(context, gateway);
    other.send('{"type":"publish","id":2,"channel":"demo:a","data":1}');
    const [answer] = (await once(other, 'message')) as [Buffer];
    expect(JSON.parse(String(answer))).toMatchObject({ type: 'published', id: 2 });
  });

  it('one that asks for much and is shut out in the same breath leaves nothing behind', async (context) => {
    const { expect } = context;
    const gateway = await start(context, transport, { MODE: 'development' });
    const socket = await connect(context, gateway);
    const closed = once(socket, 'close') as Promise<[number]>;
    const { _socket: wire } = socket as unknown as { _socket: Socket };
    wire.cork();
    socket.send('{"type":"refresh","id":2,"token":"x"}');
    socket.send('{"type":"history","id":3,"channel":"demo:a"}');
    socket.send('{"type":"subscribe","id":4,"channel":"demo:a"}');
    for (let n = 0; n < 10; n++) socket.send('nonsense');
    wire.uncork();
    expect((await closed)[0]).toBe(4400);
    await expect.poll(() => connections(gateway)).toBe(0);
    const metrics = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
    expect(/^fanfare_subscriptions\{.*\} (\d+)$/m.exec(metrics)?.[1]).toBe('0');
  });
});
