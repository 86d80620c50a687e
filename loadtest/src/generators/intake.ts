import { connect, type Socket } from 'node:net';
import { RawConnection } from './raw-connection.js';

/**
 * The connection of a publisher that costs next to nothing. Everything that is passed at once leaves in one write, and
 * replies are checked.
 */
export interface Intake {
  /** How many replies have come so far. */
  readonly replies: number;
  /** The first reply that was wrong, in words. */
  readonly fault: string | undefined;
  /** Called after each reply. */
  onReply: () => void;
  write(bytes: Buffer | string): void;
  close(): void;
}

/** An intake over plain TCP. */
export class TcpIntake implements Intake {
  replies = 0;
  fault: string | undefined;
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

  static open(port: number, takeReply: TakeReply): Promise<TcpIntake> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new TcpIntake(socket, takeReply)));
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

/** Returns the reply that begins at `at`, or `undefined` until it is whole. */
type TakeReply = (bytes: Buffer, at: number) => Reply | undefined;

interface Reply {
  readonly end: number;
  /** Whether it is a reply. If not, it is something else and is passed over. */
  readonly isReply: boolean;
  readonly fault?: string;
}

const CONTENT_LENGTH = 'ontent-length: ';

/** Reads HTTP responses that have a length. Each must be a 200 without an `error` in it. */
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

/** Reads RESP replies of one line: integers and errors. */
export const takeRedisReply: TakeReply = (bytes, at) => {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const isError = bytes[at] === 0x2d;
  return isError
    ? { end: end + 2, isReply: true, fault: bytes.toString('utf8', at, end) }
    : { end: end + 2, isReply: true };
};

const PUBLISHED = '{"type":"published"';
const REFUSED = '{"type":"error"';

const PING = '{"type":"ping"';

/**
 * An intake over a WebSocket. It writes frames; of the frames that come, only `published` and errors are replies. It
 * answers the pings of a gateway, because it may have nothing to publish for a long time.
 */
export class WebSocketIntake implements Intake {
  replies = 0;
  fault: string | undefined;
  onReply: () => void = () => {};
  readonly #connection: RawConnection;

  private constructor(url: string, onOpen: () => void, onRefused: (error: Error) => void) {
    this.#connection = new RawConnection(
      { url: new URL(url), subprotocol: '' },
      {
        onOpen,
        onMessage: (bytes, begin, end) => this.#take(bytes, begin, end),
        onClose: (code, reason) => {
          this.fault ??= `the connection was closed: ${code} ${reason}`;
          onRefused(new Error(this.fault));
        },
      },
    );
  }

  /** Rejects if the socket cannot be opened. */
  static open(url: string): Promise<WebSocketIntake> {
    return new Promise((resolve, reject) => {
      const intake: WebSocketIntake = new WebSocketIntake(url, () => resolve(intake), reject);
    });
  }

  write(frames: Buffer): void {
    this.#connection.write(frames);
  }

  close(): void {
    this.#connection.destroy();
  }

  #take(bytes: Buffer, begin: number, end: number): void {
    const start = bytes.toString('latin1', begin, begin + PUBLISHED.length);
    if (start.startsWith(PING)) this.#connection.send('{"type":"pong"}');
    const isRefused = start.startsWith(REFUSED);
    if (start !== PUBLISHED && !isRefused) return;
    if (isRefused) this.fault ??= bytes.toString('utf8', begin, end);
    this.replies++;
    this.onReply();
  }
}

export function httpPost(port: number, path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
