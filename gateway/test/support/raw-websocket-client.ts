import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One WebSocket frame as it came over the wire, unmasked. */
export interface RawFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

export interface RawClientOptions {
  readonly port: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Path and query. Default `/ws`. */
  readonly path?: string;
  readonly subprotocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a close frame is answered and the connection ended, as RFC 6455 asks. Default true. */
  readonly answersClose?: boolean;
  /** Whether pings are answered. Default true. */
  readonly answersPings?: boolean;
  /** Whether our half ends when the server's does. Default true. */
  readonly endsWithServer?: boolean;
}

/** The server answered the upgrade with something else than 101. */
export class UpgradeRefusedError extends Error {
  override readonly name = 'UpgradeRefusedError';
  constructor(
    readonly status: number,
    readonly body: string,
  ) {
    super(`upgrade refused with ${status}: ${body}`);
  }
}

/** How a connection ended: 1006 without a close frame, 1005 for one without a code. */
export interface RawClose {
  readonly code: number;
  readonly reason: string;
}

/** The bytes of one frame, masked as clients must unless told otherwise. */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array | string = '',
  { fin = true, masked = true }: { fin?: boolean; masked?: boolean } = {},
): Buffer {
  const body = Buffer.from(payload as Uint8Array);
  const length = body.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, body]);
  const mask = randomBytes(4);
  for (let i = 0; i < length; i++) body[i] = (body[i] as number) ^ (mask[i & 3] as number);
  return Buffer.concat([head, mask, body]);
}

/**
 * A WebSocket client on a bare TCP socket, for what a well-behaved one cannot do: stop reading, send
 * malformed bytes, leave a handshake unfinished, keep half of a connection open.
 */
export class RawWebSocketClient {
  /** Every frame so far, control frames included. */
  readonly frames: RawFrame[] = [];
  /** Bytes of the server so far, from after the handshake. */
  receivedBytes = 0;
  readonly subprotocol: string | undefined;
  /** Resolves once the connection is gone. */
  readonly closed: Promise<RawClose>;
  readonly tcp: Socket;
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #taken = 0;
  #close: RawClose | undefined;
  #gone = false;
  #waiters: (() => void)[] = [];

  private constructor(tcp: Socket, subprotocol: string | undefined, early: Buffer, options: RawClientOptions) {
    this.tcp = tcp;
    this.subprotocol = subprotocol;
    this.closed = new Promise((resolve) => {
      tcp.on('close', () => {
        this.#gone = true;
        this.#wake();
        resolve(this.#close ?? { code: 1006, reason: '' });
      });
    });
    if (options.endsWithServer !== false) tcp.on('end', () => tcp.end());
    tcp.on('data', (chunk: Buffer) => this.#onData(chunk, options));
    this.#onData(early, options);
    tcp.resume();
  }

  /** Opens a connection and does the handshake. @throws {UpgradeRefusedError} */
  static async connect(options: RawClientOptions): Promise<RawWebSocketClient> {
    const { host = '127.0.0.1', port, path = '/ws', subprotocols = [], headers = {} } = options;
    const tcp = connectTcp({ host, port, noDelay: true, allowHalfOpen: true });
    await once(tcp, 'connect');
    // What goes wrong shows as the end of the connection.
    tcp.on('error', () => {});
    const key = randomBytes(16).toString('base64');
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      ...(subprotocols.length > 0 ? [`Sec-WebSocket-Protocol: ${subprotocols.join(', ')}`] : []),
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    tcp.write(`${lines.join('\r\n')}\r\n\r\n`);
    const { status, fields, rest } = await readHandshake(tcp);
    if (status !== 101) {
      let body = rest.toString();
      tcp.on('data', (chunk) => {
        body += chunk;
      });
      tcp.resume();
      const length = Number(fields.get('content-length') ?? 0);
      while (body.length < length && !tcp.destroyed) await new Promise((resolve) => setTimeout(resolve, 5));
      tcp.destroy();
      throw new UpgradeRefusedError(status, body);
    }
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    if (fields.get('sec-websocket-accept') !== accept) throw new Error('wrong Sec-WebSocket-Accept');
    return new RawWebSocketClient(tcp, fields.get('sec-websocket-protocol'), rest, options);
  }

  /** Sends one whole message: text for strings, binary for bytes. */
  send(message: string | Uint8Array): void {
    this.sendFrame(typeof message === 'string' ? OPCODES.text : OPCODES.binary, message);
  }

  sendFrame(opcode: number, payload?: Uint8Array | string, options?: { fin?: boolean; masked?: boolean }): void {
    this.sendBytes(encodeFrame(opcode, payload, options));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.tcp.write(bytes);
  }

  /** Stops reading: the kernel's buffers fill, then the server's. */
  pause(): void {
    this.tcp.pause();
  }

  resume(): void {
    this.tcp.resume();
  }

  /** Begins the close handshake. */
  close(code = 1000, reason = ''): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.sendFrame(OPCODES.close, payload);
  }

  /** Ends our half of the TCP connection; the server's stays. */
  endHalf(): void {
    this.tcp.end();
  }

  destroy(): void {
    this.tcp.destroy();
  }

  /** Payloads of the messages so far (text and binary frames). */
  get messages(): Buffer[] {
    return this.frames.filter(isMessage).map((frame) => frame.payload);
  }

  /** The next message not taken yet. @throws {Error} if the connection ends or `timeoutMs` pass first. */
  async next(timeoutMs = 20_000): Promise<RawFrame> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      while (this.#taken < this.frames.length) {
        const frame = this.frames[this.#taken++] as RawFrame;
        if (isMessage(frame)) return frame;
      }
      if (this.#gone) throw new Error('the connection ended while a message was awaited');
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) throw new Error(`no message within ${timeoutMs} ms`);
      await this.#change(leftMs);
    }
  }

  /** The next message as text. */
  async nextText(timeoutMs?: number): Promise<string> {
    return (await this.next(timeoutMs)).payload.toString();
  }

  #change(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, atMostMs);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #onData(chunk: Buffer, options: RawClientOptions): void {
    this.receivedBytes += chunk.length;
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let frame = parseFrame(bytes); frame !== undefined; frame = parseFrame(bytes)) {
      bytes = bytes.subarray(frame.size);
      this.#onFrame(frame, options);
    }
    this.#rest = bytes;
    this.#wake();
  }

  #onFrame({ opcode, fin, payload }: RawFrame, options: RawClientOptions): void {
    this.frames.push({ opcode, fin, payload });
    if (opcode === OPCODES.ping && options.answersPings !== false) this.sendFrame(OPCODES.pong, payload);
    if (opcode !== OPCODES.close) return;
    const hasCode = payload.length >= 2;
    this.#close = { code: hasCode ? payload.readUInt16BE() : 1005, reason: payload.subarray(2).toString() };
    if (options.answersClose === false) return;
    this.sendFrame(OPCODES.close, payload.subarray(0, 2));
    this.tcp.end();
  }
}

function isMessage({ opcode }: RawFrame): boolean {
  return opcode <= OPCODES.binary;
}

function parseFrame(bytes: Buffer): (RawFrame & { readonly size: number }) | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] as number) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const size = head + length;
  if (bytes.length < size) return undefined;
  const first = bytes[0] as number;
  return { opcode: first & 0x0f, fin: (first & 0x80) !== 0, payload: bytes.subarray(head, size), size };
}

async function readHandshake(tcp: Socket): Promise<{ status: number; fields: Map<string, string>; rest: Buffer }> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end >= 0) {
      const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
      const fields = new Map(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
        }),
      );
      return { status: Number(statusLine.split(' ')[1]), fields, rest: bytes.subarray(end + 4) };
    }
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      tcp.once('data', (data: Buffer) => {
        tcp.pause();
        resolve(data);
      });
      tcp.once('close', () => reject(new Error('the connection ended during the handshake')));
      tcp.resume();
    });
    bytes = Buffer.concat([bytes, chunk]);
  }
}
