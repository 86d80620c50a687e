import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { defaultSocket } from './default-socket.js';
import { nativeSocket } from './native-socket.js';
import { nodeSocket } from './node-socket.js';
import type { Socket, SocketFactory } from './socket.js';

type Event = ['open'] | ['message', string | number[]] | ['close', number, string];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  vi.unstubAllGlobals();
});

async function startServer() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  const peers: WebSocket[] = [];
  const received: [string | number[], boolean][] = [];
  const closed: number[] = [];
  server.on('connection', (peer) => {
    peers.push(peer);
    peer.on('message', (data: Buffer, isBinary) => received.push([isBinary ? [...data] : data.toString(), isBinary]));
    peer.on('close', (code) => closed.push(code));
  });
  cleanups.push(() => {
    for (const peer of peers) peer.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, peers, received, closed };
}

function open(factory: SocketFactory, url: string): { socket: Socket; events: Event[] } {
  const events: Event[] = [];
  const socket = factory(
    { url, subprotocols: ['fanfare.compact.v1', 'fanfare.json.v1'] },
    {
      onOpen: () => events.push(['open']),
      onMessage: (wire) => events.push(['message', typeof wire === 'string' ? wire : [...wire]]),
      onClose: (code, reason) => events.push(['close', code, reason]),
    },
  );
  cleanups.push(() => socket.terminate());
  return { socket, events };
}

const waitFor = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 5 });
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

describe.each([
  ['nodeSocket', nodeSocket],
  ['nativeSocket', nativeSocket],
])('%s', (name, factory) => {
  /** The `ws` package has the browser's interface too. */
  function prepare() {
    if (name === 'nativeSocket') vi.stubGlobal('WebSocket', WebSocket);
    return startServer();
  }

  it('offers its subprotocols, sends and receives text and binary', async () => {
    const server = await prepare();
    const { socket, events } = open(factory, server.url);
    await waitFor(() => expect(events).toEqual([['open']]));
    expect(server.peers[0]?.protocol).toBe('fanfare.compact.v1');
    socket.send('grüße');
    socket.send(new Uint8Array([1, 2, 255]));
    await waitFor(() => expect(server.received).toHaveLength(2));
    expect(server.received).toEqual([
      ['grüße', false],
      [[1, 2, 255], true],
    ]);
    server.peers[0]?.send('hallo ü');
    server.peers[0]?.send(new Uint8Array([0, 128]));
    await waitFor(() => expect(events).toHaveLength(3));
    expect(events.slice(1)).toEqual([
      ['message', 'hallo ü'],
      ['message', [0, 128]],
    ]);
  });

  it('tells code and reason of the end', async () => {
    const server = await prepare();
    const { socket, events } = open(factory, server.url);
    await waitFor(() => expect(events).toHaveLength(1));
    server.peers[0]?.close(4000, '{"retryAfter":5}');
    await waitFor(() => expect(events.at(-1)).toEqual(['close', 4000, '{"retryAfter":5}']));
    socket.send('too late');
  });

  it('tells 1006 of a link that broke', async () => {
    const server = await prepare();
    const { events } = open(factory, server.url);
    await waitFor(() => expect(events).toHaveLength(1));
    server.peers[0]?.terminate();
    await waitFor(() => expect(events.at(-1)?.slice(0, 2)).toEqual(['close', 1006]));
    expect(events).toHaveLength(2);
  });

  it('tells 1006 of a port where nobody listens, and of an upgrade refused', async () => {
    const server = await prepare();
    const http = createServer((_, response) => response.writeHead(401).end());
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => http.close(resolve)));
    const refused = open(factory, `ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    const nobody = open(factory, 'ws://127.0.0.1:9');
    await waitFor(() => expect([refused.events.length, nobody.events.length]).toEqual([1, 1]));
    expect(refused.events[0]?.slice(0, 2)).toEqual(['close', 1006]);
    expect(nobody.events[0]?.slice(0, 2)).toEqual(['close', 1006]);
    expect(server.peers).toEqual([]);
  });

  it('says goodbye by close()', async () => {
    const server = await prepare();
    const { socket, events } = open(factory, server.url);
    await waitFor(() => expect(events).toHaveLength(1));
    socket.close(1000, '');
    await waitFor(() => expect(server.closed).toEqual([1000]));
  });

  it('is silent after terminate()', async () => {
    const server = await prepare();
    const { socket, events } = open(factory, server.url);
    await waitFor(() => expect(events).toHaveLength(1));
    socket.terminate();
    await waitFor(() => expect(server.closed).toHaveLength(1));
    await pause();
    expect(events).toEqual([['open']]);
  });

  it.each(['close', 'terminate'] as const)('can be ended by %s before it is open', async (how) => {
    const server = await prepare();
    const { socket, events } = open(factory, server.url);
    socket.send('ignored');
    if (how === 'close') socket.close(1000, '');
    else socket.terminate();
    await pause();
    expect(server.received).toEqual([]);
    expect(events.filter(([name]) => name !== 'close')).toEqual([]);
    expect(server.peers.every((peer) => peer.readyState >= WebSocket.CLOSING)).toBe(true);
  });
});

describe('nodeSocket', () => {
  it('tells 1006 of an address that ws does not take', async () => {
    const { events } = open(nodeSocket, 'ws://host/ws#fragment');
    await waitFor(() => expect(events).toEqual([['close', 1006, expect.stringContaining('fragment')]]));
  });
});

describe('defaultSocket', () => {
  it('is ws in Node, whatever else there is', async () => {
    const server = await startServer();
    vi.stubGlobal('WebSocket', undefined);
    const { events } = open(defaultSocket, server.url);
    await waitFor(() => expect(events).toEqual([['open']]));
  });

  it('is native elsewhere', () => {
    const Native = vi.fn(class {});
    vi.stubGlobal('WebSocket', Native);
    vi.stubGlobal('process', undefined);
    open(defaultSocket, 'ws://x').socket.terminate = () => {};
    vi.unstubAllGlobals();
    expect(Native).toHaveBeenCalledWith('ws://x', ['fanfare.compact.v1', 'fanfare.json.v1']);
    cleanups.length = 0;
  });
});
