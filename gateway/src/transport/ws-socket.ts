import type { Socket as NetSocket } from 'node:net';
import type { WebSocket } from 'ws';
import { type Cancel, systemClock } from '../clock.js';
import { Fifo } from '../fifo.js';
import type { DropListener, DropNotices } from './drop-notices.js';
import type { TopicTable } from './topic-table.js';
import { FORCED_CLOSE_MS, fitCloseReason, type SendResult, type Socket, type SocketSession } from './transport.js';

/**
 * Most bytes that are handed to Node at a time; the rest waits here. Node joins what waits into one write, and reports
 * a write only when all of it has left: with larger writes the progress of a slow reader would not be seen.
 */
const WRITE_AHEAD_BYTES = 64 * 1024;

/** What the sockets of one transport share. */
export interface WsSocketContext<S extends SocketSession> {
  readonly maxBufferedBytes: number;
  readonly topics: TopicTable<WsSocket<S>>;
  readonly notices: DropNotices;
}

/** A frame that has not been handed to Node yet. */
interface Waiting {
  readonly frame: Uint8Array | string;
  readonly binary: boolean;
}

interface Closing {
  readonly code: number;
  readonly reason: string;
  readonly cancelForce: Cancel;
}

/** One connection. */
export class WsSocket<S extends SocketSession> implements Socket, DropListener {
  readonly remoteAddress: string;
  /** When bytes last came in or left, ms of `performance.now()`. */
  activeAtMs = performance.now();
  /** The session of this socket. It is set right after construction, because a session is made with its socket. */
  session!: S;
  readonly #ws: WebSocket;
  readonly #net: NetSocket;
  readonly #context: WsSocketContext<S>;
  readonly #topics = new Set<string>();
  readonly #onWritten = () => this.#progress();
  readonly #waiting = new Fifo<Waiting>();
  #waitingBytes = 0;
  /** Whether a send was told `buffered` and not all bytes have left since. */
  #behind = false;
  #dropUntold = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closing: Closing | undefined;

  constructor(ws: WebSocket, net: NetSocket, context: WsSocketContext<S>, remoteAddress: string) {
    this.#ws = ws;
    this.#net = net;
    this.#context = context;
    this.remoteAddress = remoteAddress;
    const active = () => {
      this.activeAtMs = performance.now();
    };
    ws.on('message', (data: Buffer, binary) => {
      active();
      this.tellDrop();
      if (this.#state === 'open') this.session.onMessage(data, binary);
    });
    ws.on('ping', active);
    ws.on('pong', active);
    ws.on('close', (code, reason) => this.#closed(code, reason.toString()));
    // 'close' follows.
    ws.on('error', () => {});
  }

  send(frame: Uint8Array | string, binary: boolean): SendResult {
    if (this.#state !== 'open') return 'dropped';
    if (this.bufferedBytes > this.#context.maxBufferedBytes) {
      if (!this.#dropUntold) this.#context.notices.add(this);
      this.#dropUntold = true;
      return 'dropped';
    }
    if (!this.#waiting.isEmpty || this.#ws.bufferedAmount > WRITE_AHEAD_BYTES) {
      this.#waiting.push({ frame, binary });
      this.#waitingBytes += Buffer.byteLength(frame);
    } else {
      this.#ws.send(frame, { binary }, this.#onWritten);
      if (this.#ws.bufferedAmount === 0) return 'sent';
    }
    this.#behind = true;
    return 'buffered';
  }

  cork(callback: () => void): void {
    this.#net.cork();
    callback();
    this.#net.uncork();
  }

  subscribe(topic: string): void {
    if (this.#state !== 'open') return;
    this.#topics.add(topic);
    this.#context.topics.add(topic, this);
  }

  unsubscribe(topic: string): void {
    if (this.#topics.delete(topic)) this.#context.topics.remove(topic, this);
  }

  get bufferedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#ws.bufferedAmount + this.#waitingBytes;
  }

  /** Closes the socket once what waits has gone out. */
  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#leave();
    const cancelForce = systemClock.after(FORCED_CLOSE_MS, () => this.terminate());
    this.#closing = { code, reason: fitCloseReason(reason), cancelForce };
    if (!this.#behind) this.#ws.close(code, this.#closing.reason);
  }

  terminate(): void {
    this.#leave();
    this.#ws.terminate();
  }

  tellDrop(): void {
    if (!this.#dropUntold) return;
    this.#dropUntold = false;
    if (this.#state === 'open') this.session.onDropped();
  }

  #progress(): void {
    if (!this.#behind || this.#state === 'closed') return;
    this.activeAtMs = performance.now();
    while (!this.#waiting.isEmpty && this.#ws.bufferedAmount <= WRITE_AHEAD_BYTES) {
      const { frame, binary } = this.#waiting.shift() as Waiting;
      this.#waitingBytes -= Buffer.byteLength(frame);
      this.#ws.send(frame, { binary }, this.#onWritten);
    }
    if (this.bufferedBytes === 0) this.#behind = false;
    if (this.#state === 'open') {
      this.tellDrop();
      this.session.onDrain();
    } else if (!this.#behind && this.#closing !== undefined) {
      this.#ws.close(this.#closing.code, this.#closing.reason);
    }
  }

  #closed(code: number, reason: string): void {
    this.#leave();
    this.#state = 'closed';
    this.#waiting.drop(this.#waiting.length);
    this.#waitingBytes = 0;
    this.#closing?.cancelForce();
    // Peers echo the code of a close handshake, seldom the reason.
    const { code: told, reason: why } = code !== 1006 && this.#closing ? this.#closing : { code, reason };
    this.session.onClose(told, why);
  }

  /** From now on nothing more is accepted, and the session is told nothing but `onClose`. */
  #leave(): void {
    if (this.#state === 'open') this.#state = 'closing';
    for (const topic of this.#topics) this.#context.topics.remove(topic, this);
    this.#topics.clear();
  }
}

/**
 * An address without the IPv6 prefix of IPv4 peers: a dual-stack listener of Node reports them as `::ffff:192.0.2.1`.
 */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}
