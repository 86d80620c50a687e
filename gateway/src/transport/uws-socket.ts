import type { WebSocket } from 'uWebSockets.js';
import { systemClock } from '../clock.js';
import type { DropListener, DropNotices } from './drop-notices.js';
import { FORCED_CLOSE_MS, fitCloseReason, type SendResult, type Socket, type SocketSession } from './transport.js';

/** What a native socket carries for us: uWebSockets.js lets properties be put on the object of a connection. */
export interface UwsUserData<S extends SocketSession> {
  socket?: UwsSocket<S>;
}

export type UwsWebSocket<S extends SocketSession> = WebSocket<UwsUserData<S>> & UwsUserData<S>;

interface Closing {
  readonly code: number;
  readonly reason: string;
  readonly cancelForce: () => void;
}

/**
 * One connection. It consists of the native object and this one, without closures, because the memory of each
 * connection counts.
 */
export class UwsSocket<S extends SocketSession> implements Socket, DropListener {
  /** The native socket; `undefined` once it is closed, because its methods throw from then on. */
  #ws: UwsWebSocket<S> | undefined;
  readonly #notices: DropNotices;
  readonly remoteAddress: string;
  #closing: Closing | undefined;
  #dropUntold = false;
  /** The session of this socket. It is set right after construction, because a session is made with its socket. */
  session!: S;

  constructor(ws: UwsWebSocket<S>, notices: DropNotices, remoteAddress: string) {
    this.#ws = ws;
    this.remoteAddress = remoteAddress;
    this.#notices = notices;
  }

  send(frame: Uint8Array | string, binary: boolean): SendResult {
    if (this.#ws === undefined || this.#closing !== undefined) return 'dropped';
    const status = this.#ws.send(frame, binary);
    return status === 1 ? 'sent' : status === 0 ? 'buffered' : 'dropped';
  }

  cork(callback: () => void): void {
    if (this.#ws === undefined) callback();
    else this.#ws.cork(callback);
  }

  subscribe(topic: string): void {
    if (this.#closing === undefined) this.#ws?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#ws?.unsubscribe(topic);
  }

  get bufferedBytes(): number {
    return this.#ws === undefined ? 0 : this.#ws.getBufferedAmount();
  }

  /**
   * While bytes wait, uWebSockets.js would lose the close frame (beyond the limit) or keep them for up
   * to 20 s: so they drain first, or the link is cut. A socket without any is left to uWebSockets.js,
   * which holds nothing for it but the descriptor.
   */
  close(code: number, reason: string): void {
    const ws = this.#ws;
    if (ws === undefined || this.#closing !== undefined) return;
    if (ws.getBufferedAmount() === 0) {
      ws.end(code, fitCloseReason(reason));
      return;
    }
    for (const topic of ws.getTopics()) ws.unsubscribe(topic);
    this.#closing = { code, reason, cancelForce: systemClock.after(FORCED_CLOSE_MS, () => this.terminate()) };
  }

  terminate(): void {
    this.#ws?.close();
  }

  // --- called by the native side -----------------------------------------------------------------

  onMessage(data: ArrayBuffer, binary: boolean): void {
    this.tellDrop();
    if (this.#ws !== undefined && this.#closing === undefined) this.session.onMessage(Buffer.from(data), binary);
  }

  onDropped(): void {
    if (this.#dropUntold) return;
    this.#dropUntold = true;
    this.#notices.add(this);
  }

  tellDrop(): void {
    if (!this.#dropUntold) return;
    this.#dropUntold = false;
    if (this.#ws !== undefined && this.#closing === undefined) this.session.onDropped();
  }

  onDrain(): void {
    this.tellDrop();
    if (this.#closing === undefined) this.session.onDrain();
    else if (this.bufferedBytes === 0) this.#ws?.end(this.#closing.code, fitCloseReason(this.#closing.reason));
  }

  /**
   * Called by uWebSockets.js, also inside `close` and `terminate` and while the app closes all sockets. So the session
   * is told in a turn of its own.
   */
  onClose(code: number, reason: ArrayBuffer): void {
    this.#ws = undefined;
    this.#closing?.cancelForce();
    // With 1006 it is uWebSockets.js that gives a reason, not the peer.
    const text = code === 1006 ? '' : Buffer.from(reason).toString();
    setImmediate(() => this.session.onClose(code, text));
  }
}

/** An address as uWebSockets.js writes it, ASCII. */
export function addressText(bytes: ArrayBuffer): string {
  return Buffer.from(bytes).toString('latin1');
}
