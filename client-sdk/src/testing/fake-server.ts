import type { ClientFrame, ConnectedFrame, Dialect, ServerFrame, Wire } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import type { Clock } from '../clock.js';
import type { SocketFactory, SocketHandlers, SocketRequest } from '../transport/socket.js';

export interface FakeServerOptions {
  readonly clock: Clock;
  readonly dialect?: Dialect;
  /** How long each frame travels, ms; frames of one direction never overtake. Default 1. */
  readonly latencyMs?: () => number;
}

/** What a gateway may say, or what it may not: tests send anything. */
export type AnyFrame = ServerFrame | { readonly type: string; readonly [field: string]: unknown };

/**
 * A gateway that a test plays: it accepts connections, keeps what clients sent, and sends what it is
 * told to. By itself it only answers `connect`, and pings; `onFrame` scripts more.
 */
export class FakeServer {
  readonly clock: Clock;
  readonly dialect: Dialect;
  /** Every link ever made, in order. */
  readonly links: FakeLink[] = [];
  /** False: links fail without a close frame, as with a port nobody listens on. */
  reachable = true;
  /** False: `connect` is not answered. */
  accepts = true;
  /** False: it sends no pings. */
  pings = true;
  /** False: it does not say that it is alive when it is asked. */
  probes = true;
  /** What `connected` says. */
  welcome: Omit<ConnectedFrame, 'type' | 'id'> = {
    session: 's1',
    node: 'n1',
    ping: 25_000,
    maxFrame: 73_728,
    idempotencyMs: 300_000,
  };
  /** Sees every frame of a client but `connect` while `accepts`. */
  onFrame: (frame: ClientFrame, link: FakeLink) => void = () => {};
  /** A link has ended, whoever ended it. */
  onEnd: (link: FakeLink) => void = () => {};
  readonly #latencyMs: () => number;

  constructor({ clock, dialect = jsonDialect, latencyMs = () => 1 }: FakeServerOptions) {
    this.clock = clock;
    this.dialect = dialect;
    this.#latencyMs = latencyMs;
  }

  /** Hand it to `createClient({ socket })`. */
  readonly socket: SocketFactory = (request, handlers) => {
    const link = new FakeLink(this, request, handlers, this.#latencyMs);
    this.links.push(link);
    return link.socket;
  };

  /** The newest link. */
  get link(): FakeLink {
    const link = this.links.at(-1);
    if (!link) throw new Error('no link was made');
    return link;
  }
}

/** One connection, seen from the gateway. */
export class FakeLink {
  readonly request: SocketRequest;
  /** Frames of the client, decoded, in order. */
  readonly received: ClientFrame[] = [];
  /** How the client ended it, if it did. */
  ended: { readonly code: number; readonly reason: string } | 'terminated' | undefined;
  open = true;
  readonly #server: FakeServer;
  readonly #handlers: SocketHandlers;
  readonly #latencyMs: () => number;
  #downAt = 0;
  #upAt = 0;
  /** The client lets go: nothing reaches it any more. */
  #heard = true;

  constructor(server: FakeServer, request: SocketRequest, handlers: SocketHandlers, latencyMs: () => number) {
    this.request = request;
    this.#server = server;
    this.#handlers = handlers;
    this.#latencyMs = latencyMs;
    this.#toClient(() => {
      if (server.reachable) handlers.onOpen();
      else this.cut();
    });
  }

  /** The client's end. */
  readonly socket = {
    send: (wire: Wire) => this.#toServer(() => this.#receive(wire)),
    close: (code: number, reason: string) => this.#letGo({ code, reason }),
    terminate: () => this.#letGo('terminated'),
  };

  /** The frames of one type that the client sent. */
  sent<Type extends ClientFrame['type']>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.received.filter((frame) => frame.type === type) as Extract<ClientFrame, { type: Type }>[];
  }

  send(frame: AnyFrame): void {
    this.sendWire(this.#server.dialect.encode(frame as ServerFrame));
  }

  /** Several frames as one array, in one WebSocket frame. */
  sendArray(frames: readonly AnyFrame[]): void {
    this.sendWire(this.#server.dialect.encode(frames as readonly ServerFrame[]));
  }

  sendWire(wire: Wire): void {
    if (!this.open) return;
    this.#toClient(() => this.#handlers.onMessage(wire));
  }

  /** Ends it with a close frame, behind what was sent. */
  close(code: number, reason = ''): void {
    if (!this.open) return;
    this.#end();
    this.#toClient(() => this.#close(code, reason));
  }

  /** The network breaks: what is on its way in either direction is lost, and both notice at once. */
  cut(): void {
    if (!this.open) return;
    this.#end();
    this.#close(1006, 'cut');
  }

  /** The network goes silent: nothing arrives any more in either direction, and nobody is told. */
  freeze(): void {
    this.#end();
  }

  #receive(wire: Wire): void {
    if (!this.open) return;
    const frame = this.#server.dialect.decode(wire) as unknown as ClientFrame;
    // How the client asks whether the link is alive; as every gateway answers, and nothing of the test's.
    if (frame.type === 'unsubscribe' && frame.channel === 'fanfare-js:probe') {
      if (this.#server.probes) this.send({ type: 'unsubscribed', id: frame.id, channel: frame.channel });
      return;
    }
    this.received.push(frame);
    if (frame.type === 'connect' && this.#server.accepts) {
      this.send({ type: 'connected', id: frame.id, ...this.#server.welcome });
      this.#keepAlive();
    } else {
      this.#server.onFrame(frame, this);
    }
  }

  #keepAlive(): void {
    this.#server.clock.after(this.#server.welcome.ping, () => {
      if (!this.open) return;
      if (this.#server.pings) this.send({ type: 'ping' });
      this.#keepAlive();
    });
  }

  #letGo(how: { code: number; reason: string } | 'terminated'): void {
    this.ended ??= how;
    this.#heard = false;
    this.#toServer(() => this.#end());
  }

  #end(): void {
    if (!this.open) return;
    this.open = false;
    this.#server.onEnd(this);
  }

  #close(code: number, reason: string): void {
    if (!this.#heard) return;
    this.#heard = false;
    this.#handlers.onClose(code, reason);
  }

  #toClient(act: () => void): void {
    const { clock } = this.#server;
    this.#downAt = Math.max(this.#downAt, clock.now() + this.#latencyMs());
    clock.after(this.#downAt - clock.now(), () => {
      if (this.#heard) act();
    });
  }

  #toServer(act: () => void): void {
    const { clock } = this.#server;
    this.#upAt = Math.max(this.#upAt, clock.now() + this.#latencyMs());
    clock.after(this.#upAt - clock.now(), act);
  }
}
