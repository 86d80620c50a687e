import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { GATEWAY_ANSWERS, MARKER, payload, Reader, type ReaderEvents } from './reader.js';

const UPGRADED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';
const SUBSCRIBED = frame('{"type":"subscribed","id":2}');
const PING = frame('{"type":"ping"}');

let server: Server | undefined;
let reader: Reader | undefined;

afterEach(() => {
  reader?.destroy();
  server?.close();
});

/** Returns an unmasked text frame, as a server sends it. */
function frame(text: string): Buffer {
  const header = text.length < 126 ? [0x81, text.length] : [0x81, 126, text.length >> 8, text.length & 255];
  return Buffer.concat([Buffer.from(header), Buffer.from(text)]);
}

let dialect: 'json' | 'compact' = 'json';
let counted: 'frames' | 'markers' | number = 'frames';
let publishers: number | undefined;

afterEach(() => {
  dialect = 'json';
  counted = 'frames';
  publishers = undefined;
});

function text(sequence: number): string {
  if (dialect === 'compact') return `["bench",${sequence},1,${payload(sequence, 64)}]`;
  return `{"type":"message","channel":"bench","offset":${sequence},"data":${payload(sequence, 100)},"time":1}`;
}

function message(sequence: number): Buffer {
  return frame(text(sequence));
}

function array(from: number, to: number): Buffer {
  return frame(`[${Array.from({ length: to - from + 1 }, (_, index) => text(from + index)).join(',')}]`);
}

/** Opens a reader, waits until it is subscribed, and returns the server's end of its connection. */
async function subscribed(verifies: boolean, events: Partial<ReaderEvents> = {}): Promise<Socket> {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const subscribe = {
    url: `ws://127.0.0.1:${port}/ws`,
    greeting: ['hello'],
    ready: '{"type":"subscribed"',
    answers: GATEWAY_ANSWERS,
    counted,
    publishers,
  };
  let onReady = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const all: ReaderEvents = { onMessages: () => {}, onFault: () => {}, ...events };
  const accepted = once(server, 'connection');
  reader = new Reader(subscribe, verifies, all, onReady);
  const [socket] = (await accepted) as [Socket];
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.write(UPGRADED);
  socket.write(SUBSCRIBED);
  await ready;
  return socket;
}

async function untilReceived(messages: number): Promise<void> {
  for (let i = 0; i < 500 && (reader as Reader).messages < messages; i++) await sleep(4);
  expect(reader?.messages).toBe(messages);
}

const WAYS = [
  ['json', false],
  ['json', true],
  ['compact', false],
  ['compact', true],
] as const;

it.each(WAYS)(
  'counts every message wherever the reads cut the stream (%s, verifies: %s)',
  async (spelling, verifies) => {
    dialect = spelling;
    const faults: string[] = [];
    const socket = await subscribed(verifies, { onFault: (_reader, fault) => faults.push(fault) });
    const stream = Buffer.concat([message(1), message(2), PING, message(3), PING, PING, message(4)]);
    for (let cut = 1; cut < stream.length; cut += 7) {
      reader?.reset();
      socket.write(stream.subarray(0, cut));
      await sleep(2);
      socket.write(stream.subarray(cut));
      await untilReceived(4);
    }
    expect(faults).toEqual([]);
  },
);

it.each(WAYS)('counts what arrays hold, wherever the reads cut them (%s, verifies: %s)', async (spelling, verifies) => {
  dialect = spelling;
  const faults: string[] = [];
  const socket = await subscribed(verifies, { onFault: (_reader, fault) => faults.push(fault) });
  // The digits of the offsets grow in the middle of two of the arrays.
  const stream = Buffer.concat([array(1, 9), message(10), PING, array(11, 98), array(99, 100), array(101, 101)]);
  for (const cut of [1, 3, 5, 150, 900, 1_480, 1_484, 1_488, 1_600, 9_000, stream.length - 1]) {
    reader?.reset();
    socket.write(stream.subarray(0, cut));
    await sleep(2);
    socket.write(stream.subarray(cut));
    await untilReceived(101);
  }
  expect(faults).toEqual([]);
});

it.each(['json', 'compact'] as const)(
  'counts a long array whose offsets grow by a digit early (%s)',
  async (spelling) => {
    dialect = spelling;
    const socket = await subscribed(false);
    const [before, length] = [9_998, 300];
    socket.write(array(before, before + length - 1));
    await untilReceived(length);
    expect(reader?.messages).toBe(length);
  },
);

it('counts by markers, whatever stands around them and wherever the reads cut the stream', async () => {
  counted = 'markers';
  const faults: string[] = [];
  const socket = await subscribed(false, { onFault: (_reader, fault) => faults.push(fault) });
  const one = `42["m","${MARKER}xx"]`;
  const several = `MSG bench 1 200\r\n${MARKER.padEnd(200, 'x')}\r\n`.repeat(3);
  const stream = Buffer.concat([frame(one), frame(several), PING, frame('not counted'), frame(several), frame(one)]);
  for (let cut = 1; cut < stream.length; cut += 61) {
    reader?.reset();
    socket.write(stream.subarray(0, cut));
    await sleep(2);
    socket.write(stream.subarray(cut));
    await untilReceived(8);
  }
  expect(faults).toEqual([]);
});

it.each([false, true])('counts messages that all have so many bytes (verifies: %s)', async (verifies) => {
  const faults: string[] = [];
  const several = (from: number) => [from, from + 1].map((one) => `MSG bench 1 64\r\n${payload(one, 64)}\r\n`).join('');
  counted = several(1).length / 2;
  const socket = await subscribed(verifies, { onFault: (_reader, fault) => faults.push(fault) });
  const stream = Buffer.concat([frame(several(1)), PING, frame(`${several(3)}PING\r\n`), frame(several(5))]);
  for (let cut = 1; cut < stream.length; cut += 61) {
    reader?.reset();
    socket.write(stream.subarray(0, cut));
    await sleep(2);
    socket.write(stream.subarray(cut));
    await untilReceived(6);
  }
  expect(faults).toEqual([]);
});

it('does not count a message before its last byte has come', async () => {
  const socket = await subscribed(false);
  const stream = Buffer.concat([message(1), message(2)]);
  socket.write(stream.subarray(0, stream.length - 1));
  await untilReceived(1);
  await sleep(20);
  expect(reader?.messages).toBe(1);
  socket.write(stream.subarray(stream.length - 1));
  await untilReceived(2);
});

it('answers pings', async () => {
  const socket = await subscribed(false);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.write(Buffer.concat([message(1), PING]));
  await untilReceived(1);
  for (let i = 0; i < 100 && !received.includes('{"type":"pong"}'); i++) await sleep(4);
  expect(received).toContain('{"type":"pong"}');
});

it('reports a hole, where it verifies', async () => {
  const faults: string[] = [];
  const socket = await subscribed(true, { onFault: (_reader, fault) => faults.push(fault) });
  socket.write(Buffer.concat([message(7), message(8), message(10)]));
  await untilReceived(3);
  expect(faults).toEqual(['message 10 came after 8']);
});

it('expects an order of the messages of each publisher, and none between two of them', async () => {
  publishers = 2;
  const faults: string[] = [];
  const socket = await subscribed(true, { onFault: (_reader, fault) => faults.push(fault) });
  socket.write(Buffer.concat([message(7), message(9), message(8), message(10), message(13)]));
  await untilReceived(5);
  expect(faults).toEqual(['message 13 came after 9']);
});

it('reports what must not come: a lagged frame', async () => {
  const faults: string[] = [];
  const socket = await subscribed(false, { onFault: (_reader, fault) => faults.push(fault) });
  socket.write(Buffer.concat([message(1), frame('{"type":"lagged","channels":["bench"]}')]));
  await untilReceived(1);
  expect(faults).toEqual(['{"type":"lagged","channels":["bench"]}']);
});
