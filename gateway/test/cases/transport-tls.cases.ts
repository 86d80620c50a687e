/** TLS spoken by the transport itself, over real TLS sockets, and peers that are too slow. */
import { once } from 'node:events';
import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { SlowLimit } from '../../src/transport/transport.js';
import { CertificateFolder } from '../support/certificates.js';
import { closed } from '../support/closed.js';
import { type CreateTransport, type Served, serve, textResponse, until } from '../support/transport-harness.js';

type OnTestFinished = (callback: () => void | Promise<void>) => void;

function certificateNamed(commonName: string, onTestFinished: OnTestFinished): CertificateFolder {
  const files = new CertificateFolder();
  files.renew(commonName);
  onTestFinished(() => files.remove());
  return files;
}

/** The name in the certificate that a new connection is shown. */
async function shownName(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function openWebSocket({ port, sessions }: Served, ca: string) {
  const known = sessions.length;
  const socket = new WebSocket(`wss://localhost:${port}/ws`, { ca });
  const received: string[] = [];
  socket.on('message', (data) => received.push(String(data)));
  await once(socket, 'open');
  await until(() => sessions.length > known);
  return { socket, received, session: sessions[known] as (typeof sessions)[number] };
}

export function transportTlsCases(create: CreateTransport): void {
  it('serves HTTP and WebSockets, and nobody who speaks without TLS', async ({ onTestFinished }) => {
    const tls = certificateNamed('first', onTestFinished);
    const server = await serve(create, onTestFinished, {
      options: { tls },
      onRequest: ({ path, remoteAddress }) => textResponse(200, `${path} to ${remoteAddress}`),
    });
    const [response] = await once(get(`https://localhost:${server.port}/a`, { ca: tls.text }), 'response');
    expect(String(await response.toArray())).toBe('/a to 127.0.0.1');
    const { socket, session, received } = await openWebSocket(server, tls.text);
    socket.send('up');
    await until(() => session.messages.length === 1);
    session.socket.subscribe('topic');
    server.transport.publish('topic', 'down', false);
    await until(() => received.length === 1);
    const plain = connectTcp(server.port, '127.0.0.1');
    let text = '';
    plain.on('data', (data: Buffer) => {
      text += data.toString('latin1');
    });
    plain.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed(plain);
    expect(text).not.toContain('200');
    socket.close();
  });

  it('shows a renewed certificate to those who come, and keeps those who are there', async ({ onTestFinished }) => {
    const tls = certificateNamed('first', onTestFinished);
    const server = await serve(create, onTestFinished, { options: { tls } });
    const { transport, port } = server;
    const clients = [await openWebSocket(server, tls.text)];
    expect(await shownName(port)).toBe('first');
    for (const next of ['second', 'third']) {
      tls.renew(next);
      transport.renewCertificate();
      expect(await shownName(port)).toBe(next);
      clients.push(await openWebSocket(server, tls.text));
    }
    for (const { session } of clients) session.socket.subscribe('topic');
    expect(transport.subscribers('topic')).toBe(3);
    for (let n = 0; n < 20; n++) transport.publish('topic', String(n), false);
    const all = Array.from({ length: 20 }, (_, n) => String(n));
    for (const { received } of clients) {
      await until(() => received.length === 20);
      expect(received).toEqual(all);
    }
    const [oldest] = clients as [(typeof clients)[number]];
    oldest.socket.close();
    await until(() => oldest.session.closes.length === 1);
    expect(transport.subscribers('topic')).toBe(2);
    await transport.close();
    await until(() => clients.every(({ session }) => session.closes.length === 1));
  });

  it('refuses a certificate that is not of the key, and goes on with the one before', async ({ onTestFinished }) => {
    const tls = certificateNamed('first', onTestFinished);
    const { transport, port } = await serve(create, onTestFinished, { options: { tls } });
    tls.breakPair();
    expect(() => transport.renewCertificate()).toThrow();
    expect(await shownName(port)).toBe('first');
    expect(() => create({ ...SMALL, tls }, NOBODY)).toThrow();
    tls.renew('second');
    transport.renewCertificate();
    expect(await shownName(port)).toBe('second');
    transport.stopListening();
    tls.renew('third');
    transport.renewCertificate();
    await expect(shownName(port)).rejects.toThrow('ECONNREFUSED');
  });
}

/** This waits for real timeouts. */
export function transportTlsTimeoutCases(name: 'uws' | 'ws', create: CreateTransport): void {
  it('ends who takes too long for the handshake, for a head, or for a body', async ({ onTestFinished }) => {
    const tls = certificateNamed('first', onTestFinished);
    const slow: SlowLimit[] = [];
    const options = { tls, httpHeadMs: 1_500, httpRequestMs: 4_000, onSlow: (limit: SlowLimit) => slow.push(limit) };
    const server = await serve(create, onTestFinished, { options });
    const { port } = server;
    const { socket, session } = await openWebSocket(server, tls.text);
    const silent = connectTcp(port, '127.0.0.1');
    const drips = [
      'GET / HTTP/1.1\r\nHost: x\r\nX: ',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n',
    ].map((begin) => {
      const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      client.write(begin);
      const timer = setInterval(() => client.write('x'), 100);
      onTestFinished(() => clearInterval(timer));
      client.on('error', () => {}).resume();
      return client;
    });
    const prompt = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    prompt.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx');
    await delay(50);
    prompt.write('x');
    expect(String(await once(prompt, 'data'))).toContain(' 200 OK');
    prompt.destroy();
    // uWebSockets.js has limits of its own for the first two, of 10 to 12 s, and does not tell of them.
    await Promise.all([silent, ...drips].map(closed));
    const told: readonly SlowLimit[] = name === 'ws' ? ['httpHeadMs', 'httpHeadMs'] : [];
    // Longer than what came in time might have taken.
    await delay(500);
    expect(slow.sort()).toEqual([...told, 'httpRequestMs']);
    socket.send('still here');
    await until(() => session.messages.length === 1);
    await delay(10);
    expect(server.transport.openRequests).toBe(0);
  });
}

const SMALL = { maxFrameBytes: 1024, maxBufferedBytes: 1024, maxBodyBytes: 1024, idleTimeoutMs: 60_000 };
const NOBODY = {
  onUpgrade: () => ({ accept: false, status: 404, body: 'nobody' }) as const,
  onRequest: () => textResponse(404, ''),
};
