import { connect, type Socket } from 'node:net';
import { frameBounds, upgradeRequest } from './websocket-frames.js';

/** A publisher's raw TCP connection; what is written at once leaves in one write. Replies are checked. */
export class FeedConnection {
  /** Replies that came so far. */
  replies = 0;
  /** The first reply that was not as it should be. */
  fault: string | undefined;
  /** Called after each reply. */
  onReply: () => void = () => {};
  readonly #socket: Socket;
  readonly #takeReply: TakeReply;
  #pending = Buffer.alloc(0);
  #isOpen = true;

  private constructor(socket: Socket, takeReply: TakeReply) {
    this.#socket = socket;
    this.#takeReply = takeReply;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const onEnd = () => {
      if (this.#isOpen) this.fault ??= 'the connection was closed';
    };
    socket.on('close', onEnd);
    socket.on('error', onEnd);
  }

  static open(port: number, takeReply: TakeReply): Promise<FeedConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new FeedConnection(socket, takeReply)));
    });
  }

  write(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let at = 0;
    for (;;) {
      const reply = this.#takeReply(bytes, at);
      if (!reply) break;
      at = reply.end;
      if (reply.fault) this.fault ??= reply.fault;
      if (!reply.isReply) continue;
      this.replies++;
      this.onReply();
    }
    this.#pending = at < bytes.length ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0);
  }
}

/** The reply that begins at `at`, or `undefined` until it is whole. */
type TakeReply = (bytes: Buffer, at: number) => Reply | undefined;

interface Reply {
  readonly end: number;
  /** False: something else, to be passed over. */
  readonly isReply: boolean;
  readonly fault?: string;
}

const CONTENT_LENGTH = 'ontent-length: ';

/** HTTP responses with a length; each must be a 200 without an `error` in it. */
export const takeHttpReply: TakeReply = (bytes, at) => {
  const headEnd = bytes.indexOf('\r\n\r\n', at);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', at, headEnd).toLowerCase();
  const length = Number.parseInt(head.slice(head.indexOf(CONTENT_LENGTH) + CONTENT_LENGTH.length), 10);
  const end = headEnd + 4 + length;
  if (end > bytes.length) return undefined;
  const isGood = head.startsWith('http/1.1 200') && !bytes.toString('latin1', headEnd, end).includes('"error"');
  return isGood ? { end, isReply: true } : { end, isReply: true, fault: bytes.toString('utf8', at, end) };
};

/** The 101 and `published` frames count; `error` frames are faults. */
const takeWebSocketReply: TakeReply = (bytes, at) => {
  if (bytes[at] === 0x48) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    return headEnd < 0 ? undefined : { end: headEnd + 4, isReply: true };
  }
  const bounds = frameBounds(bytes, at);
  if (!bounds) return undefined;
  const type = bytes.toString('latin1', bounds.begin, bounds.begin + 20);
  if (type.startsWith('{"type":"published"')) return { end: bounds.end, isReply: true };
  if (type.startsWith('{"type":"error"')) {
    return { end: bounds.end, isReply: true, fault: bytes.toString('utf8', bounds.begin, bounds.end) };
  }
  return { end: bounds.end, isReply: false };
};

/** RESP replies of one line (integers, errors). */
export const takeRedisReply: TakeReply = (bytes, at) => {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const isError = bytes[at] === 0x2d;
  return isError
    ? { end: end + 2, isReply: true, fault: bytes.toString('utf8', at, end) }
    : { end: end + 2, isReply: true };
};

/** Opens a WebSocket at `path` on which only `published` frames are replies. */
export async function openWebSocketFeed(port: number, path: string): Promise<FeedConnection> {
  const connection = await FeedConnection.open(port, takeWebSocketReply);
  const opened = new Promise<void>((resolve) => {
    connection.onReply = resolve;
  });
  connection.write(upgradeRequest(port, path));
  await opened;
  connection.onReply = () => {};
  return connection;
}

export function httpPost(port: number, path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
