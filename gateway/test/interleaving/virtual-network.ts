import type { SendResult, Socket, SocketSession, Transport } from '../../src/transport/transport.js';
import type { VirtualWorld } from './virtual-world.js';

export interface NetworkOptions {
  /** Most bytes in flight to a client that does not read ("the kernel"). */
  readonly kernelBytes: number;
  /** While more than this waits in the gateway for a socket, frames are dropped. */
  readonly maxBufferedBytes: number;
}

/** The client's end of a virtual socket, as the SDK's socket port wants it. */
export interface ClientEnd {
  onOpen(): void;
  onMessage(wire: string | Uint8Array): void;
  onClose(code: number, reason: string): void;
}

/**
 * A transport without a network, with the manners of uWebSockets.js: topic publishes of a turn wait
 * per subscriber and leave together, a direct send pushes them out first, and behind the first frame
 * that does not fit the rest of the batch vanishes without an event.
 */
export class VirtualTransport implements Pick<Transport, 'publish'> {
  readonly sockets = new Set<VirtualSocket>();
  readonly #world: VirtualWorld;
  readonly #options: NetworkOptions;
  #draining = false;

  constructor(world: VirtualWorld, options: NetworkOptions) {
    this.#world = world;
    this.#options = options;
  }

  publish(topic: string, frame: string | Uint8Array): void {
    for (const socket of this.sockets) if (socket.topics.has(topic)) socket.pending.push(frame);
    if (this.#draining) return;
    this.#draining = true;
    this.#world.schedule(() => {
      this.#draining = false;
      for (const socket of this.sockets) socket.drainPending();
    }, 'drain topics');
  }

  /** A client connects; `accept` makes its session. */
  connect(client: ClientEnd, accept: (socket: Socket) => SocketSession): VirtualSocket {
    const socket = new VirtualSocket(this.#world, this.#options, client, () => this.sockets.delete(socket));
    this.sockets.add(socket);
    socket.session = accept(socket);
    this.#world.schedule(() => socket.opened(), 'open');
    return socket;
  }

  /** The process dies: every socket with it. */
  kill(): void {
    for (const socket of [...this.sockets]) socket.cut();
  }
}

export class VirtualSocket implements Socket {
  readonly remoteAddress = '127.0.0.1';
  readonly topics = new Set<string>();
  readonly pending: (string | Uint8Array)[] = [];
  session: SocketSession | undefined;
  /** The client does not read. */
  frozen = false;
  readonly #world: VirtualWorld;
  readonly #options: NetworkOptions;
  readonly #client: ClientEnd;
  readonly #forget: () => void;
  #buffered: (string | Uint8Array)[] = [];
  #bufferedBytes = 0;
  #kernel: (string | Uint8Array)[] = [];
  #kernelBytes = 0;
  #upstream: (string | Uint8Array)[] = [];
  #isCut = false;
  #gatewayOver = false;
  #clientOver = false;
  #opened = false;
  #closing: { code: number; reason: string } | undefined;

  constructor(world: VirtualWorld, options: NetworkOptions, client: ClientEnd, forget: () => void) {
    this.#world = world;
    this.#options = options;
    this.#client = client;
    this.#forget = forget;
  }

  // --- the gateway's end -------------------------------------------------------------------------

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  send(frame: string | Uint8Array): SendResult {
    this.drainPending();
    return this.#accept(frame);
  }

  cork(callback: () => void): void {
    callback();
  }

  subscribe(topic: string): void {
    if (!this.#gatewayOver) this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  close(code: number, reason: string): void {
    if (this.#gatewayOver || this.#closing) return;
    this.#closing = { code, reason };
    this.#endGateway(code, reason);
    this.#world.schedule(() => this.#endClient(code, reason), 'close frame');
  }

  terminate(): void {
    this.cut();
  }

  drainPending(): void {
    while (this.pending.length > 0) {
      if (this.#accept(this.pending.shift() as string | Uint8Array) === 'dropped') this.pending.length = 0;
    }
  }

  #accept(frame: string | Uint8Array): SendResult {
    if (this.#gatewayOver) return 'dropped';
    if (this.#buffered.length === 0 && this.#fits(frame)) {
      this.#toKernel(frame);
      return 'sent';
    }
    if (this.#bufferedBytes > this.#options.maxBufferedBytes) {
      this.session?.onDropped();
      return 'dropped';
    }
    this.#buffered.push(frame);
    this.#bufferedBytes += frame.length;
    return 'buffered';
  }

  /** A frame that is larger than the window goes alone. */
  #fits(frame: string | Uint8Array): boolean {
    return this.#kernelBytes === 0 || this.#kernelBytes + frame.length <= this.#options.kernelBytes;
  }

  #toKernel(frame: string | Uint8Array): void {
    this.#kernel.push(frame);
    this.#kernelBytes += frame.length;
    this.#world.schedule(() => this.#read(), 'client reads');
  }

  // --- the client's end --------------------------------------------------------------------------

  opened(): void {
    if (this.#clientOver) return;
    this.#opened = true;
    this.#client.onOpen();
    this.#read();
  }

  fromClient(wire: string | Uint8Array): void {
    if (this.#clientOver) return;
    this.#upstream.push(wire);
    this.#world.schedule(() => {
      const next = this.#upstream.shift();
      if (next === undefined || this.#gatewayOver) return;
      const binary = typeof next !== 'string';
      this.session?.onMessage(binary ? next : new TextEncoder().encode(next), binary);
    }, 'gateway reads');
  }

  /** The client closes; the gateway hears of it later. */
  closedByClient(code: number): void {
    this.#clientOver = true;
    this.#world.schedule(() => this.#endGateway(code, ''), 'gateway hears the end');
  }

  thaw(): void {
    this.frozen = false;
    this.#read();
  }

  #read(): void {
    if (this.frozen || this.#isCut || this.#clientOver || !this.#opened) return;
    const frame = this.#kernel.shift();
    if (frame === undefined) return;
    this.#kernelBytes -= frame.length;
    if (this.#kernel.length > 0) this.#world.schedule(() => this.#read(), 'client reads');
    this.#refill();
    this.#client.onMessage(frame);
  }

  #refill(): void {
    let moved = false;
    for (let [next] = this.#buffered; next !== undefined && this.#fits(next); [next] = this.#buffered) {
      this.#buffered.shift();
      this.#bufferedBytes -= next.length;
      this.#toKernel(next);
      moved = true;
    }
    if (moved && !this.#gatewayOver) this.#world.schedule(() => !this.#gatewayOver && this.session?.onDrain(), 'drain');
  }

  // --- the end -----------------------------------------------------------------------------------

  /** The link breaks; each side hears of it at its own time, what is in flight is lost. */
  cut(): void {
    this.#isCut = true;
    this.#world.schedule(() => this.#endGateway(1006, ''), 'gateway hears the cut');
    this.#world.schedule(() => this.#endClient(1006, ''), 'client hears the cut');
  }

  #endGateway(code: number, reason: string): void {
    if (this.#gatewayOver) return;
    this.#gatewayOver = true;
    this.#forget();
    this.topics.clear();
    this.pending.length = 0;
    this.session?.onClose(code, reason);
  }

  #endClient(code: number, reason: string): void {
    if (this.#clientOver) return;
    this.#clientOver = true;
    this.#client.onClose(code, reason);
  }
}
