/** The gateway of the test kit behind a real WebSocket, held to the protocol like every gateway. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { cases } from '@fanfare/protocol/suite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawData, WebSocketServer } from 'ws';
import { systemClock } from '../src/clock.js';
import { DEVELOPMENT, TestServer } from '../src/testkit/test-server.js';
import { TestUsers } from '../src/testkit/test-users.js';

const SUBPROTOCOLS = ['fanfare.json.v1', 'fanfare.msgpack.v1'];
const CALM = { isDark: false, isDown: false, bytesPerSecond: Number.POSITIVE_INFINITY };

describe('the gateway of the test kit', () => {
  const faults: string[] = [];
  const gateway = new TestServer({
    clock: systemClock,
    isDurable: DEVELOPMENT,
    authenticator: new TestUsers(() => undefined),
    onFault: (message) => faults.push(message),
  });
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: false,
    // As the gateway chooses; where it knows none, the first is echoed and refused.
    handleProtocols: (offered) => [...offered].find((name) => SUBPROTOCOLS.includes(name)) ?? [...offered][0] ?? false,
  });
  server.on('connection', (socket, { url = '', headers }) => {
    const [path = '', query = ''] = url.split('?');
    const offered = headers['sec-websocket-protocol'];
    const link = gateway.open({
      request: {
        path,
        query,
        subprotocols: offered?.split(/, */) ?? [],
        header: (name) => String(headers[name] ?? ''),
        remoteAddress: '127.0.0.1',
      },
      client: {
        onOpen: () => {},
        onMessage: (wire) => socket.send(wire),
        onClose: (code, reason) => (code === 1006 ? socket.terminate() : socket.close(code, reason)),
      },
      conditions: () => CALM,
    });
    socket.on('message', (data: RawData, binary: boolean) =>
      link.fromClient(binary ? new Uint8Array(data as Buffer) : data.toString()),
    );
    // It is told of text that is not UTF-8, and ends the connection as it should.
    socket.on('error', () => {});
    socket.on('close', (code, reason) => link.letGo(code, reason.toString()));
  });
  const url = () => `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
  beforeAll(() => (server.address() ? undefined : once(server, 'listening')));
  afterAll(() => {
    for (const client of server.clients) client.terminate();
    server.close();
    gateway.close();
    expect(faults).toEqual([]);
  });

  it.each(cases.filter(({ slow, needsHttp }) => !slow && !needsHttp))('$name', (one) => one.run({ url: url() }));
});
