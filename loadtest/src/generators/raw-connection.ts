import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { controlFrame, dataFrame, OPCODES } from './websocket-frames.js';

/**
 * The one buffer into which all plain connections of a process read. What is in it is consumed before the next read.
 */
const shared = Buffer.allocUnsafe(256 * 1024);
const CONNECT_TIMEOUT_MS = 20_000;

export interface RawTarget {
  /** The address, `ws:` or `wss:`, with its path. */
  readonly url: URL;
  readonly subprotocol: string;
  /** The local address to connect from. Default: the system's choice. */
  readonly localAddress?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface RawHandlers {
  onOpen(): void;
  /** Called with a text or binary message from `begin` to `end`. The bytes may be used during the call only. */
  onMessage(bytes: Buffer, begin: number, end: number): void;
  /** Called once, when the connection has ended. The code is 1006 if there was no close frame. */
  onClose(code: number, reason: string): void;
  /**
   * Returns how many messages a frame holds, of which the bytes before `size` have arrived. It is for those who count
   * messages and do not read them. A frame for which it returns a number is passed over; one for which it returns
   * `undefined` is given to `onMessage` once all of it has arrived. It is called while {@link RawConnection.weighs} is
   * set.
   */
  weigh?: ((bytes: Buffer, begin: number, end: number, size: number) => number | undefined) | undefined;
  /** Called once a read, with how many more messages have arrived in full in frames that were weighed. */
  onWeighed?: ((count: number) => void) | undefined;
  /** All that arrived with one read has been handed over. */
  onRead?: (() => void) | undefined;
}

/** A WebSocket client that costs next to nothing: no masking, no copies of whole messages, no events. */
export class RawConnection {
  /** How many bytes were received. */
  bytes = 0;
  /** Whether frames are weighed. */
  weighs = false;
  readonly #socket: Socket;
  readonly #handlers: RawHandlers;
  readonly #timer: NodeJS.Timeout;
  #isUpgraded = false;
  #isOver = false;
  /** Whether a close frame came. Nothing after it counts. */
  #hasClosed = false;
  /** The pieces of a frame whose rest has not arrived. */
  #pieces: Buffer[] = [];
  /** How many bytes the pieces have. */
  #have = 0;
  /** How many bytes the pieces need to have before they are looked at again. */
  #need = 0;
  /** How many bytes of a weighed frame have not arrived. */
  #missing = 0;
  /** How many messages the weighed frame holds that has not arrived in full. */
  #underway = 0;
  #code = 1006;
  #reason = '';

  constructor(target: RawTarget, handlers: RawHandlers) {
    this.#handlers = handlers;
    const { url, localAddress } = target;
    const isTls = url.protocol === 'wss:';
    const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || (isTls ? 443 : 80)) };
    if (isTls) {
      // An address is no server name (RFC 6066), though a certificate may be valid for it.
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

  /** Writes frames that are ready for the wire. */
  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  /** How many bytes it has accepted that have not left yet. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Stops reading: first the kernel's buffers fill, then those of the server. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection in an orderly way. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket.end(controlFrame(OPCODES.close, Buffer.from([0x03, 0xe8])));
    // A server that does not answer is gone.
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
  }

  /** Ends the connection without a close frame, and without `onClose`. */
  destroy(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  /** Cuts the connection as the network would. `onClose` follows. */
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

  /** @param weighed messages that have arrived in full and were not reported yet */
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
    this.#handlers.onRead?.();
  }

  /** @returns where the answer to the upgrade ends, or -1 if it has not all arrived or is a refusal */
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

/**
 * Ends a connection as the network would: by turns with a reset and in the middle of the stream. With TLS it is always
 * the latter.
 */
export function cutConnection(socket: Socket): void {
  if (socket instanceof TLSSocket || cuts++ % 2 === 0) socket.destroy();
  else socket.resetAndDestroy();
}

function upgradeRequest({ url, subprotocol, headers = {} }: RawTarget): string {
  const lines = Object.entries({
    Host: url.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    // The key need not be random for a client that trusts the server.
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...(subprotocol && { 'Sec-WebSocket-Protocol': subprotocol }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines, '\r\n'].join('\r\n');
}
