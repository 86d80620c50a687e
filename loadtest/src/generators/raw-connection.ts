import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { controlFrame, dataFrame, OPCODES } from './websocket-frames.js';

/** All plain connections of a process read into one buffer: what is in it is consumed before the next read. */
const shared = Buffer.allocUnsafe(256 * 1024);
const CONNECT_TIMEOUT_MS = 20_000;

export interface RawTarget {
  /** `ws:` or `wss:`, with its path. */
  readonly url: URL;
  readonly subprotocol: string;
  /** Local address to connect from; default: the system's choice. */
  readonly localAddress?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface RawHandlers {
  onOpen(): void;
  /** A text or binary message from `begin` to `end`; the bytes are lent for the call. */
  onMessage(bytes: Buffer, begin: number, end: number): void;
  /** Once; 1006 without a close frame. */
  onClose(code: number, reason: string): void;
  /**
   * For those who count and do not read: how many messages a frame of theirs holds, of which what is before `size` has
   * arrived. A frame that is weighed is passed over; `undefined`: it is given to `onMessage`, once all of it is there.
   * Asked while {@link RawConnection.weighs}.
   */
  weigh?: ((bytes: Buffer, begin: number, end: number, size: number) => number | undefined) | undefined;
  /** So many messages more have arrived in full, in frames that were weighed; once a read. */
  onWeighed?: ((count: number) => void) | undefined;
}

/** A WebSocket client that costs next to nothing: no masking, no copies of whole messages, no events. */
export class RawConnection {
  /** Bytes received. */
  bytes = 0;
  /** Whether frames are weighed. */
  weighs = false;
  readonly #socket: Socket;
  readonly #handlers: RawHandlers;
  readonly #timer: NodeJS.Timeout;
  #isUpgraded = false;
  #isOver = false;
  /** A close frame came: nothing after it counts. */
  #hasClosed = false;
  /** The beginning of a frame whose rest has not arrived: pieces, and how many bytes they need to be. */
  #pieces: Buffer[] = [];
  #have = 0;
  #need = 0;
  /** Bytes of a weighed frame that have not arrived, and how many messages it holds. */
  #missing = 0;
  #underway = 0;
  #code = 1006;
  #reason = '';

  constructor(target: RawTarget, handlers: RawHandlers) {
    this.#handlers = handlers;
    const { url, localAddress } = target;
    const isTls = url.protocol === 'wss:';
    const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || (isTls ? 443 : 80)) };
    if (isTls) {
      // An address is no name of a server (RFC 6066), though a certificate may hold for it.
      const servername = isIP(address.host) ? '' : address.host;
      const options = { ...address, servername, localAddress, ALPNProtocols: ['http/1.1'] };
      this.#socket = connectTls(options);
      this.#socket.on('data', (chunk) => this.#take(chunk, chunk.length));
      this.#socket.setNoDelay(true);
    } else {
      const onread = {
        buffer: shared,
        callback: (size: number) => {
          this.#take(shared, size);
          return true;
        },
      };
      this.#socket = connect({ ...address, noDelay: true, onread, ...(localAddress && { localAddress }) });
    }
    this.#socket.on('error', (error) => {
      this.#reason ||= error.message;
    });
    this.#socket.on('close', () => this.#end());
    this.#timer = setTimeout(() => this.#fail('no answer to the upgrade'), CONNECT_TIMEOUT_MS);
    this.#socket.write(upgradeRequest(target));
  }

  send(wire: string | Uint8Array): void {
    this.#socket.write(dataFrame(wire));
  }

  /** Frames that are ready for the wire. */
  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  /** Bytes accepted from us that have not left yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Stops reading: the kernel's buffers fill, then the server's. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends in an orderly way. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket.end(controlFrame(OPCODES.close, Buffer.from([0x03, 0xe8])));
    // Whoever does not answer is gone.
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
  }

  /** Ends without a word, and without `onClose`. */
  destroy(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  /** Cuts the connection as the network would: `onClose` follows. */
  cut(): void {
    cutConnection(this.#socket);
  }

  #fail(reason: string): void {
    this.#reason ||= reason;
    this.#socket.destroy();
  }

  #end(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers.onClose(this.#code, this.#reason);
  }

  #take(chunk: Buffer, size: number): void {
    if (this.#isOver) return;
    this.bytes += size;
    if (this.#missing > size) {
      this.#missing -= size;
    } else if (this.#missing > 0) {
      const at = this.#missing;
      this.#missing = 0;
      this.#read(chunk, size, at, this.#underway);
    } else if (this.#have > 0) {
      this.#pieces.push(Buffer.from(chunk.subarray(0, size)));
      this.#have += size;
      if (this.#have < this.#need) return;
      const whole = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#have);
      this.#forget();
      this.#read(whole, whole.length, 0, 0);
    } else {
      this.#read(chunk, size, 0, 0);
    }
  }

  #forget(): void {
    this.#pieces = [];
    this.#have = 0;
    this.#need = 0;
  }

  #keep(bytes: Buffer, at: number, size: number, need: number): void {
    this.#pieces = [Buffer.from(bytes.subarray(at, size))];
    this.#have = size - at;
    this.#need = need;
  }

  /** @param weighed messages that have arrived in full, and were not told of */
  #read(bytes: Buffer, size: number, from: number, weighed: number): void {
    let at = from;
    if (!this.#isUpgraded) {
      const end = this.#upgrade(bytes, size);
      if (end < 0) return;
      at = end;
    }
    let count = weighed;
    while (at < size && !this.#isOver && !this.#hasClosed) {
      const short = at + 2 > size ? 0 : (bytes[at + 1] as number) & 0x7f;
      const begin = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
      if (begin > size) {
        this.#keep(bytes, at, size, begin - at);
        break;
      }
      const length =
        short < 126
          ? short
          : short === 126
            ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
            : Number(bytes.readBigUInt64BE(at + 2));
      const end = begin + length;
      const opcode = (bytes[at] as number) & 0x0f;
      const weight =
        this.weighs && opcode <= OPCODES.binary ? this.#handlers.weigh?.(bytes, begin, end, size) : undefined;
      if (weight !== undefined) {
        at = end;
        if (end <= size) {
          count += weight;
        } else {
          this.#missing = end - size;
          this.#underway = weight;
        }
      } else if (end > size) {
        this.#keep(bytes, at, size, end - at);
        break;
      } else {
        at = end;
        this.#takeFrame(opcode, bytes, begin, end);
      }
    }
    if (count > 0) this.#handlers.onWeighed?.(count);
  }

  /** @returns where the answer to the upgrade ends; -1: it has not all arrived, or it is no. */
  #upgrade(bytes: Buffer, size: number): number {
    const end = bytes.subarray(0, size).indexOf('\r\n\r\n');
    if (end < 0) {
      this.#keep(bytes, 0, size, size + 1);
      return -1;
    }
    const head = bytes.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101')) {
      this.#fail(head.slice(0, head.indexOf('\r\n')).slice('HTTP/1.1 '.length) || 'no upgrade');
      return -1;
    }
    this.#isUpgraded = true;
    clearTimeout(this.#timer);
    this.#handlers.onOpen();
    return end + 4;
  }

  #takeFrame(opcode: number, bytes: Buffer, begin: number, end: number): void {
    if (opcode <= OPCODES.binary) {
      this.#handlers.onMessage(bytes, begin, end);
    } else if (opcode === OPCODES.ping) {
      this.#socket.write(controlFrame(OPCODES.pong, bytes.subarray(begin, end)));
    } else if (opcode === OPCODES.close) {
      if (end - begin >= 2) this.#code = bytes.readUInt16BE(begin);
      this.#reason = bytes.toString('utf8', Math.min(begin + 2, end), end);
      this.#socket.end(controlFrame(OPCODES.close, bytes.subarray(begin, Math.min(begin + 2, end))));
      this.#hasClosed = true;
    }
  }
}

let cuts = 0;

/** Ends a connection as the network would: by a reset or, every other one and where TLS is above it, in the middle of the stream. */
export function cutConnection(socket: Socket): void {
  if (socket instanceof TLSSocket || cuts++ % 2 === 0) socket.destroy();
  else socket.resetAndDestroy();
}

function upgradeRequest({ url, subprotocol, headers = {} }: RawTarget): string {
  const lines = Object.entries({
    Host: url.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    // It need not be random for a client that trusts the server.
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...(subprotocol && { 'Sec-WebSocket-Protocol': subprotocol }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines, '\r\n'].join('\r\n');
}
