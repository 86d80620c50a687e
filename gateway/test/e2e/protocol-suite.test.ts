import type { AddressInfo } from 'node:net';
import { compactDialect } from '@fanfare/protocol/compact';
import { jsonDialect } from '@fanfare/protocol/json';
import { cases, type Target } from '@fanfare/protocol/suite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

type Frame = Record<string, unknown>;

const isMessage = (frame: Frame, offset: number) => frame.type === 'message' && frame.offset === offset;

/** What a faulty gateway would send instead, and the case that must notice. */
const faults: readonly [name: string, caught: string, fault: (frame: Frame) => (Frame | Frame[])[]][] = [
  ['loses a message', 'run on from it without a hole', (f) => (f.type === 'message' && f.offset === 5 ? [] : [f])],
  [
    'sends a message twice',
    'since replays what came after',
    (f) => (f.type === 'message' && f.offset === 9 ? [f, f] : [f]),
  ],
  [
    'covers what it lost',
    'run on from it without a hole',
    (f) => (isMessage(f, 5) ? [{ ...f, prev: 3 }] : isMessage(f, 4) ? [] : [f]),
  ],
  [
    'begins behind a hole',
    'run on from it without a hole',
    (f) => (isMessage(f, 5) ? [{ ...f, prev: 5, offset: 6 }] : [f]),
  ],
  [
    'moves a position beyond a hole',
    'run on from it without a hole',
    (f) => (isMessage(f, 5) ? [f, { type: 'position', channel: f.channel, offset: 7 }] : [f]),
  ],
  ['sends an array in an array', 'run on from it without a hole', (f) => (isMessage(f, 5) ? [[[f] as never]] : [f])],
  [
    'tells a wrong position',
    'since the newest message replays nothing',
    (f) => [f.recovered ? { ...f, offset: 1 } : f],
  ],
  ['claims to have recovered', 'is unrecoverable', (f) => [f.recovered === false ? { ...f, recovered: true } : f]],
  ['hides duplicates', 'a key seen before', (f) => [f.duplicate ? { ...f, duplicate: undefined } : f]],
  [
    'errors without an id',
    'an unknown type is a bad_request',
    (f) => [f.type === 'error' ? { ...f, id: undefined } : f],
  ],
  ['ends history early', 'pages before a position', (f) => [f.type === 'history' ? { ...f, more: false } : f]],
  ['loses tags', 'items have what the messages had', (f) => [{ ...f, tags: undefined }]],
  ['spells data anew', 'JSON reaches JSON to the letter', (f) => [f]],
];

describe('the protocol suite', () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess();
  });
  afterAll(() => gateway?.stop());

  it.each(faults)('notices a gateway that %s', async (_, caught, fault) => {
    const [suiteCase, ...others] = cases.filter(({ name }) => name.includes(caught));
    expect(others).toEqual([]);
    await suiteCase?.run({ url: gateway.wsUrl });
    const proxy = await startProxy(gateway.wsUrl, fault);
    try {
      await expect(suiteCase?.run({ ...proxy.target, answerMs: 1_500 })).rejects.toThrow();
    } finally {
      proxy.close();
    }
  });

  it('takes arrays, and frames that begin before where the client stands', async () => {
    const proxy = await startProxy(gateway.wsUrl, (frame) => {
      if (frame.type !== 'message') return [frame];
      return [[{ type: 'ping' }, { ...frame, prev: Math.max(0, Number(frame.offset) - 3) }]];
    });
    try {
      await cases.find(({ name }) => name.includes('since replays what came after'))?.run(proxy.target);
    } finally {
      proxy.close();
    }
  });
});

/** Passes everything on, but frames of the gateway that are text through `fault`. */
async function startProxy(
  url: string,
  fault: (frame: Frame) => (Frame | Frame[])[],
): Promise<{ target: Target; close(): void }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: ([first]) => first ?? false });
  server.on('connection', (client, { headers }) => {
    const offered = headers['sec-websocket-protocol'] ?? '';
    const dialect = offered.includes('compact') ? compactDialect : jsonDialect;
    const gateway = new WebSocket(url, offered ? offered.split(',') : [], {
      perMessageDeflate: false,
    });
    const opened = new Promise((resolve) => gateway.once('open', resolve));
    client.on('message', (data: RawData, binary: boolean) => opened.then(() => gateway.send(data, { binary })));
    gateway.on('message', (data: RawData, binary: boolean) => {
      if (binary) client.send(data, { binary });
      else
        for (const sent of dialect.decodeAll(data.toString())) {
          for (const frame of fault(sent as Frame)) client.send(dialect.encode(frame as never));
        }
    });
    client.on('close', () => gateway.terminate());
    gateway.on('close', () => client.terminate());
    gateway.on('error', () => client.terminate());
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    for (const client of server.clients) client.terminate();
    server.close();
  };
  return { target: { url: `ws://127.0.0.1:${port}/ws`, answerMs: 30_000 }, close };
}
