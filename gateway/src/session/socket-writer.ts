import type { RawDialect, Wire } from '@fanfare/protocol';
import type { Clock } from '../clock.js';
import type { Subscriber } from '../hub/subscriber.js';
import { Semaphore } from '../semaphore.js';
import type { Stats } from '../stats.js';
import type { Socket } from '../transport/transport.js';
import { BoundedQueue } from './bounded-queue.js';
import { DrainQueue } from './drain-queue.js';

/** How many tasks of a connection may hold a page of a log at a time. */
const PAGES_AT_A_TIME = 2;

/** The session that a writer serves. */
export interface Writing {
  /** Id of its session, unique among all gateways. */
  readonly id: string;
  /** Called when frames were dropped. Whatever is published to its topics from now on must not reach the client. */
  onLag(): void;
  /**
   * Called when the client has read everything. Returns what it has to be told before the replies that wait, if
   * anything.
   */
  onCaughtUp(): Wire | undefined;
  /** Called when more replies wait than may. */
  onOverflow(): void;
}

/** The replies that wait while the client has not read what it was sent. */
interface Lag {
  readonly sinceMs: number;
  readonly replies: BoundedQueue<Wire>;
}

/**
 * Sends one client its frames, in order. Replies wait while the client lags, and are never dropped. Replayed frames
 * wait with those who replay them. What channels publish does not pass here, but goes to the topics.
 */
export class SocketWriter implements Subscriber {
  readonly dialect: RawDialect;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly #writing: Writing;
  #lag: Lag | undefined;
  #soon: Wire[] | undefined;
  #draining: DrainQueue | undefined;
  #pages: Semaphore | undefined;
  #stalledSinceMs: number | undefined;
  #isEnded = false;

  constructor(socket: Socket, dialect: RawDialect, clock: Clock, stats: Stats, writing: Writing) {
    this.#socket = socket;
    this.dialect = dialect;
    this.#clock = clock;
    this.#stats = stats;
    this.#writing = writing;
  }

  get session(): string {
    return this.#writing.id;
  }

  send(wire: Wire): void {
    if (this.#isEnded) return;
    if (!this.#lag) {
      if (this.#socket.send(wire, this.dialect.binary) !== 'dropped') return;
      this.#beginLag();
    }
    const lag = this.#lag as Lag | undefined;
    if (lag && !lag.replies.add(wire)) this.#writing.onOverflow();
  }

  /**
   * Sends a frame later in this turn of the event loop, together with others. Sent one by one behind an await, each
   * would be a write of its own.
   */
  sendSoon(wire: Wire): void {
    if (this.#soon) {
      this.#soon.push(wire);
      return;
    }
    const wires = [wire];
    this.#soon = wires;
    this.#clock.soon(() => {
      this.#soon = undefined;
      this.cork(() => {
        for (const one of wires) this.send(one);
      });
    });
  }

  sendReplayed(frame: Wire): boolean {
    if (this.#lag || this.#isEnded) return false;
    if (this.#socket.send(frame, this.dialect.binary) !== 'dropped') return true;
    this.#beginLag();
    return false;
  }

  cork(callback: () => void): void {
    this.#socket.cork(callback);
  }

  subscribe(topic: string): void {
    this.#socket.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#socket.unsubscribe(topic);
  }

  get isLagging(): boolean {
    return this.#lag !== undefined;
  }

  get laggingSinceMs(): number | undefined {
    return this.#lag?.sinceMs;
  }

  /** Bytes that wait in the gateway for the client to read. */
  get unsentBytes(): number {
    return this.#isEnded ? 0 : this.#socket.bufferedBytes;
  }

  get isDrained(): boolean {
    return this.#lag === undefined && this.#socket.bufferedBytes === 0;
  }

  drained(): Promise<void> {
    if (this.isDrained || this.#isEnded) return Promise.resolve();
    this.#draining ??= new DrainQueue(this.#clock, () => this.isDrained);
    return this.#draining.wait();
  }

  oneOfFew(task: () => Promise<void>): Promise<void> {
    this.#pages ??= new Semaphore(PAGES_AT_A_TIME);
    return this.#pages.run(task);
  }

  /** Since when the client has read nothing although something waits for it. Has to be called from time to time. */
  stalledSinceMs(nowMs: number): number | undefined {
    if (this.#socket.bufferedBytes > 0) {
      this.#stalledSinceMs ??= nowMs;
      return this.#stalledSinceMs;
    }
    this.#stalledSinceMs = undefined;
    // uWebSockets.js goes on writing when a frame comes in, and does not say so.
    this.#catchUp();
    return undefined;
  }

  /** To be called when the transport dropped a frame. */
  onDropped(): void {
    this.#stats.dropped++;
    this.#beginLag();
  }

  /** To be called when the transport wrote something. */
  onDrain(): void {
    this.#stalledSinceMs = undefined;
    this.#catchUp();
  }

  /** To be called when the client is gone: nothing is sent any more, and nobody waits any longer. */
  end(): void {
    this.#isEnded = true;
    this.#lag = undefined;
    this.#draining?.end();
  }

  /**
   * Begins a lag, and says so at once: the frames that were accepted so far are a contiguous prefix, and nothing may
   * follow the hole. Joins that still replay go on, because they wait for the socket by themselves.
   */
  #beginLag(): void {
    if (this.#lag || this.#isEnded) return;
    this.#stats.lagged++;
    this.#lag = { sinceMs: this.#clock.now(), replies: new BoundedQueue() };
    this.#writing.onLag();
    // A frame that is larger than the whole buffer is dropped while there is nothing to drain.
    this.#clock.soon(() => this.#catchUp());
  }

  #catchUp(): void {
    if (this.#isEnded || this.#socket.bufferedBytes > 0) return;
    const lag = this.#lag;
    if (lag) {
      this.#lag = undefined;
      const notice = this.#writing.onCaughtUp();
      this.cork(() => {
        if (notice !== undefined) this.send(notice);
        for (const wire of lag.replies.items) this.send(wire);
      });
    }
    this.#draining?.wake();
  }
}
