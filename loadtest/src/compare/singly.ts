/** How servers other than Fanfare and the baseline are given messages one by one. */
import { TcpIntake, WebSocketIntake } from '../generators/intake.js';
import { payload, type Subscribe } from '../generators/reader.js';
import { dataFrame } from '../generators/websocket-frames.js';
import type { ServerProcess } from '../servers/server-process.js';
import type { Singly } from './entrant.js';

/** A server that broadcasts what comes over a WebSocket at `/intake`, one message a frame. */
export function fedByWebSocket(name: string, server: ServerProcess, port: number, subscribe: Subscribe): Singly {
  const subject: Singly['subject'] = {
    name,
    server,
    subscribe: () => subscribe,
    openIntake: () => WebSocketIntake.open(`ws://127.0.0.1:${port}/intake`),
    encode: (_kind, _channel, sequence, count, size) =>
      Buffer.concat(payloads(sequence, count, size).map((text) => dataFrame(text))),
  };
  return { subject, intake: 'websocket' };
}

/** nats-server, which is published to over its own TCP protocol. */
export function natsFed(server: ServerProcess, port: number, subscribe: Subscribe): Singly {
  const subject: Singly['subject'] = {
    name: 'nats-server',
    server,
    subscribe: () => subscribe,
    openIntake: async () => {
      const intake = await TcpIntake.open(port, takeNatsLine);
      intake.write('CONNECT {"verbose":false}\r\n');
      return intake;
    },
    encode: (_kind, { name }, sequence, count, size) =>
      payloads(sequence, count, size)
        .map((text) => `PUB ${name} ${size}\r\n${text}\r\n`)
        .join(''),
  };
  return { subject, intake: 'websocket' };
}

/** Passes over what nats-server says by itself, unless it is an error. It acknowledges nothing. */
function takeNatsLine(bytes: Buffer, at: number) {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = bytes.toString('utf8', at, end);
  return { end: end + 2, isReply: false, ...(line.startsWith('-ERR') && { fault: line }) };
}

function payloads(sequence: number, count: number, size: number): string[] {
  return Array.from({ length: count }, (_, index) => payload(sequence + index, size));
}
