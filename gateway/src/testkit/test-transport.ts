import type { SocketHandlers } from '@fanfare/client';
import type { Wire } from '@fanfare/protocol';
import type { Clock } from '../clock.js';
import type {
  SendResult,
  Socket,
  SocketSession,
  Transport,
  UpgradeRequest,
  UpgradeResult,
} from '../transport/transport.js';

/** The state of the network of a client. */
export interface Conditions {
  /** Whether nothing gets through in either direction, and nobody is told. What was sent waits, as in TCP. */
  readonly isDark: boolean;
  /** Whether no connection can be made. */
  readonly isDown: boolean;
  /** How many bytes per second get to the client. */
  readonly bytesPerSecond: number;
}

/** How long a frame travels, ms. */
const LATENCY_MS = 1;
/** How often frames that wait in a dark network are tried again, ms. */
const DARK_RETRY_MS = 50;
/** What kernels and the network hold on the way to a client that reads slowly, bytes. */
const KERNEL_BYTES = 65_536;
/** Most unsent bytes of a socket, as in the gateway's default configuration. */
const MAX_BUFFERED_BYTES = 1_048_576;

const TEXT = new TextDecoder();

type Accept = (request: UpgradeRequest) => UpgradeResult<SocketSession>;
/**
 * Looks at what a client sends. If it answers by itself, it returns `true`, and the frame does not reach the gateway.
 */
export type Intercept = (wire: Wire, link: TestLink) => boolean;

/** A transport without a network: every frame takes 1 ms, or as long as the conditions of its client say. */
export class TestTransport implements Pick<Transport, 'publish'> {
  readonly links = new Set<TestLink>();
  readonly clock: Clock;
  /** Largest frame of a client, bytes. A larger one ends its link. */
  readonly maxFrameBytes: number;

  constructor(clock: Clock, maxFrameBytes: number) {
    this.clock = clock;
    this.maxFrameBytes = maxFrameBytes;
  }

  publish(topic: string, frame: Uint8Array | string, binary: boolean): void {
    for (const link of this.links) if (link.topics.has(topic)) link.send(frame, binary);
  }

  open(options: Omit<TestLinkOptions, 'transport'>): TestLink {
    return new TestLink({ ...options, transport: this });
  }
}

export interface TestLinkOptions {
  readonly transport: TestTransport;
  readonly request: UpgradeRequest;
  readonly client: SocketHandlers;
  readonly accept: Accept;
  readonly conditions: () => Conditions;
  readonly intercept?: Intercept;
}

/** One connection. For the gateway it is a socket, and for a client it is what its socket port opened. */
export class TestLink implements Socket {
  readonly topics = new Set<string>();
  readonly #options: TestLinkOptions;
  readonly #down: Pipe;
  readonly #up: Pipe;
  #session: SocketSession | undefined;
  /** Whether frames are being dropped: from the first one that did not fit until the session has been told. */
  #isDropping = false;
  #gatewayOver = false;
  #clientOver = false;

  constructor(options: TestLinkOptions) {
    const { transport, conditions } = options;
    this.#options = options;
    this.#down = new Pipe(transport.clock, conditions, (bytesBefore) => this.#onArrived(bytesBefore));
    this.#up = new Pipe(transport.clock, () => ({ ...conditions(), bytesPerSecond: Number.POSITIVE_INFINITY }));
    this.#up.push(0, () => this.#handshake());
  }

  get remoteAddress(): string {
    return this.#options.request.remoteAddress;
  }

  get bufferedBytes(): number {
    return Math.max(0, this.#down.bytes - KERNEL_BYTES);
  }

  // The gateway's end.

  send(frame: Uint8Array | string, binary: boolean): SendResult {
    if (this.#gatewayOver || this.#isDropping) return 'dropped';
    if (this.bufferedBytes > MAX_BUFFERED_BYTES) {
      this.#isDropping = true;
      this.#options.transport.clock.soon(() => {
        this.#isDropping = false;
        if (!this.#gatewayOver) this.#session?.onDropped();
      });
      return 'dropped';
    }
    const wire = binary || typeof frame === 'string' ? frame : TEXT.decode(frame);
    this.#down.push(frame.length, () => {
      if (!this.#clientOver) this.#options.client.onMessage(wire);
    });
    return this.bufferedBytes === 0 ? 'sent' : 'buffered';
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
    if (this.#gatewayOver) return;
    this.#leave();
    this.#down.push(0, () => this.#endClient(code, reason));
    this.#options.transport.clock.soon(() => this.#session?.onClose(code, reason));
  }

  terminate(): void {
    this.cut();
  }

  // The client's end.

  fromClient(wire: Wire): void {
    if (this.#clientOver) return;
    if (wire.length > this.#options.transport.maxFrameBytes) {
      this.cut();
      return;
    }
    this.#up.push(wire.length, () => {
      if (this.#gatewayOver || this.#options.intercept?.(wire, this)) return;
      if (typeof wire === 'string') this.#session?.onMessage(new TextEncoder().encode(wire), false);
      else this.#session?.onMessage(wire, true);
    });
  }

  /** Ends the link from the client's side, with a close frame or without. */
  letGo(code: number, reason = ''): void {
    if (this.#clientOver) return;
    this.#clientOver = true;
    this.#up.push(0, () => this.#endGateway(code, reason));
  }

  /** Breaks the link: what is on its way is lost, and both sides are told. */
  cut(): void {
    this.#down.stop();
    this.#up.stop();
    this.#options.transport.clock.after(LATENCY_MS, () => {
      this.#endGateway(1006, '');
      this.#endClient(1006, '');
    });
  }

  #handshake(): void {
    const { transport, conditions, accept, request, client } = this.#options;
    if (this.#clientOver) return;
    const result = conditions().isDown ? undefined : accept(request);
    if (!result?.accept) {
      this.#endClient(1006, result?.body ?? '');
      return;
    }
    transport.links.add(this);
    this.#down.push(0, () => !this.#clientOver && client.onOpen());
    this.#session = result.session(this);
  }

  /**
   * Called when something arrived at the client. The session is told if bytes had to wait in the gateway, since that
   * counts as a sign of life.
   */
  #onArrived(bytesBefore: number): void {
    if (bytesBefore > KERNEL_BYTES && !this.#gatewayOver) this.#session?.onDrain();
  }

  #leave(): void {
    this.#gatewayOver = true;
    this.#options.transport.links.delete(this);
    this.topics.clear();
  }

  #endGateway(code: number, reason: string): void {
    if (this.#gatewayOver) return;
    this.#leave();
    this.#session?.onClose(code, reason);
  }

  #endClient(code: number, reason: string): void {
    if (this.#clientOver) return;
    this.#clientOver = true;
    this.#options.client.onClose(code, reason);
  }
}

/** One direction of a link. What goes in comes out in order, as soon as the conditions allow it. */
class Pipe {
  bytes = 0;
  readonly #clock: Clock;
  readonly #conditions: () => Conditions;
  /** Called when something arrived, with how many bytes were on their way before. */
  readonly #onArrived: (bytesBefore: number) => void;
  #waiting: { readonly bytes: number; readonly arrive: () => void }[] = [];
  #stopped = false;

  constructor(clock: Clock, conditions: () => Conditions, onArrived: (bytesBefore: number) => void = () => {}) {
    this.#clock = clock;
    this.#conditions = conditions;
    this.#onArrived = onArrived;
  }

  push(bytes: number, arrive: () => void): void {
    if (this.#stopped) return;
    this.#waiting.push({ bytes, arrive });
    this.bytes += bytes;
    if (this.#waiting.length === 1) this.#next(LATENCY_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.bytes = 0;
  }

  /** Sends what comes next. Frames that wait together arrive together, unless something slows them down. */
  #next(delayMs: number): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { bytesPerSecond } = this.#conditions();
    this.#clock.after(delayMs + (first.bytes * 1_000) / bytesPerSecond, () => this.#arrive());
  }

  #arrive(): void {
    if (this.#stopped) return;
    const { isDark, bytesPerSecond } = this.#conditions();
    if (isDark) {
      this.#clock.after(DARK_RETRY_MS, () => this.#arrive());
      return;
    }
    const count = bytesPerSecond === Number.POSITIVE_INFINITY ? this.#waiting.length : 1;
    const arrived = this.#waiting.splice(0, count);
    const bytesBefore = this.bytes;
    for (const { bytes } of arrived) this.bytes -= bytes;
    // Answers to these frames find the pipe empty only once all of them have arrived.
    const rest = this.#waiting;
    this.#waiting = [HELD];
    for (const { arrive } of arrived) if (!this.#stopped) arrive();
    if (this.#stopped) return;
    this.#waiting = [...rest, ...this.#waiting.slice(1)];
    this.#onArrived(bytesBefore);
    this.#next(LATENCY_MS);
  }
}

const HELD = { bytes: 0, arrive: () => {} };
