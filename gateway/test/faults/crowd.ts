import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { framesIn } from '../support/frames-in.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { encodeFrame, OPCODES } from '../support/raw-websocket-client.js';

/** Connections that are opened at a time when nothing has failed. */
const OPENING = 250;
/** Clients that lost their gateway come back spread over this time, ms, as the SDK's first attempt does. */
const SPREAD_MS = 500;
const UPGRADE = [
  'GET /ws HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: fanfare.json.v1',
  '\r\n',
].join('\r\n');

/**
 * Very many light clients of one channel: each knows its position, checks that every message follows
 * it, and resumes at another gateway when its connection ends.
 */
export class Crowd {
  /** What went wrong, by kind. */
  readonly problems: Record<string, number> = {};
  readonly #channel: string;
  readonly #clients: CrowdClient[] = [];

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** Resolves once so many are subscribed at `home`; they go to `refuge` when it ends. */
  async join(count: number, home: GatewayProcess, refuge: GatewayProcess): Promise<void> {
    for (let left = count; left > 0; left -= OPENING) {
      const added = Array.from(
        { length: Math.min(OPENING, left) },
        () => new CrowdClient(this.#channel, [home.port, refuge.port], (what) => this.#problem(what)),
      );
      this.#clients.push(...added);
      while (this.subscribed < this.#clients.length) await delay(10);
    }
  }

  get size(): number {
    return this.#clients.length;
  }

  get subscribed(): number {
    return this.#clients.filter(({ isSubscribed }) => isSubscribed).length;
  }

  /** How many are subscribed and stand at this offset or after it. */
  reached(offset: number): number {
    return this.#clients.filter((client) => client.isSubscribed && client.offset >= offset).length;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #problem(what: string): void {
    this.problems[what] = (this.problems[what] ?? 0) + 1;
  }
}

/** What a gateway sends to it; each field is there where the type has it. */
interface CrowdFrame {
  readonly type: string;
  readonly epoch: string;
  readonly offset: number;
  readonly prev?: number;
  readonly recovered?: boolean;
  readonly code: string;
  readonly retryable: boolean;
}

/** A WebSocket on a bare TCP socket, because ten thousand of any library's would be what is measured. */
class CrowdClient {
  isSubscribed = false;
  offset = -1;
  #epoch: string | undefined;
  readonly #channel: string;
  readonly #ports: readonly [number, number];
  readonly #onProblem: (what: string) => void;
  #socket: Socket | undefined;
  #isUpgraded = false;
  #rest: Buffer | undefined;
  #isClosed = false;

  constructor(channel: string, ports: readonly [number, number], onProblem: (what: string) => void) {
    this.#channel = channel;
    this.#ports = ports;
    this.#onProblem = onProblem;
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #connect(): void {
    if (this.#isClosed) return;
    this.#isUpgraded = false;
    this.#rest = undefined;
    const isFirst = this.#epoch === undefined;
    const since = isFirst ? '' : `,"since":{"epoch":"${this.#epoch}","offset":${this.offset}}`;
    const socket = connect(this.#ports[isFirst ? 0 : 1], '127.0.0.1');
    this.#socket = socket;
    socket.on('connect', () => socket.write(UPGRADE));
    socket.on('data', (chunk: Buffer) => this.#onData(chunk, since));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => {
      this.isSubscribed = false;
      setTimeout(() => this.#connect(), Math.random() * SPREAD_MS);
    });
  }

  #onData(chunk: Buffer, since: string): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end >= 0) {
        this.#isUpgraded = true;
        bytes = bytes.subarray(end + 4);
        this.#send('{"type":"connect","id":1,"client":"crowd/1"}');
        this.#send(`{"type":"subscribe","id":2,"channel":"${this.#channel}"${since}}`);
      }
    }
    while (this.#isUpgraded && bytes.length >= 2) {
      const short = bytes[1] as number;
      const head = short === 126 ? 4 : 2; // none of our frames is longer than 64 KiB
      const size = head + (short === 126 && bytes.length >= head ? bytes.readUInt16BE(2) : short);
      if (bytes.length < size) break;
      if (bytes[0] === 0x80 + OPCODES.text) this.#onText(bytes.toString('latin1', head, size));
      bytes = bytes.subarray(size);
    }
    this.#rest = bytes.length > 0 ? bytes : undefined;
  }

  #send(text: string): void {
    this.#socket?.write(encodeFrame(OPCODES.text, text));
  }

  /** One frame, or an array of them. */
  #onText(text: string): void {
    for (const frame of framesIn<CrowdFrame>(text)) this.#onFrame(frame);
  }

  #onFrame(frame: CrowdFrame): void {
    const { type } = frame;
    if (type === 'message' || type === 'position') {
      const { offset, prev = offset - 1 } = frame;
      if (offset <= this.offset) this.#onProblem('duplicated');
      else if (prev > this.offset) this.#onProblem('lost');
      this.offset = offset;
    } else if (type === 'subscribed') {
      if (this.#epoch !== undefined && (!frame.recovered || frame.offset !== this.offset))
        this.#onProblem('not recovered');
      this.#epoch = frame.epoch;
      this.offset = frame.offset;
      this.isSubscribed = true;
    } else if (type === 'ping') {
      this.#send('{"type":"pong"}');
    } else if (type === 'error') {
      const { code, retryable } = frame;
      if (retryable) this.#socket?.destroy();
      else this.#onProblem(code);
    } else if (type !== 'connected') this.#onProblem(type);
  }
}
