import type { ClientFrame, ConnectedFrame, Dialect, ServerFrame, Wire } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import type { Clock } from '../clock.js';
import type { SocketFactory, SocketHandlers, SocketRequest } from '../transport/socket.js';

export interface FakeServerOptions {
  readonly clock: Clock;
  readonly dialect?: Dialect;
  /** Returns how long a frame travels, ms. Frames of one direction never overtake each other. Default 1. */
  readonly latencyMs?: () => number;
}

/** A frame that a gateway may send, or may not send: tests send anything. */
export type AnyFrame = ServerFrame | { readonly type: string; readonly [field: string]: unknown };

/**
 * A gateway that a test plays: it accepts connections, keeps what clients sent, and sends what it is told to. By itself
 * it only answers `connect` and sends pings; `onFrame` scripts more.
 */
export class FakeServer {
  readonly clock: Clock;
  readonly dialect: Dialect;
  /** Every link that was ever made, in order. */
  readonly links: FakeLink[] = [];
  /** Whether links can be made. If not, they fail without a close frame, as with a port nobody listens on. */
  reachable = true;
  /** Whether `connect` is answered. */
  accepts = true;
  /** Whether it sends pings. */
  pings = true;
  /** Whether it says that it is alive when it is asked. */
  probes = true;
  /** What the `connected` frame says. */
  welcome: Omit<ConnectedFrame, 'type' | 'id'> = {
    session: 's1',
    node: 'n1',
    ping: 25_000,
    maxFrame: 73_728,
    idempotencyMs: 300_000,
  };
  /** Called with every frame of a client, except `connect` while `accepts` is set. */
  onFrame: (frame: ClientFrame, link: FakeLink) => void = () => {};
  /** Called when a link has ended, whoever ended it. */
  onEnd: (link: FakeLink) => void = () => {};
  readonly #latencyMs: () => number;

  constructor({ clock, dialect = jsonDialect, latencyMs = () => 1 }: FakeServerOptions) {
    this.clock = clock;
    this.dialect = dialect;
    this.#latencyMs = latencyMs;
  }

  /** The sockets of this gateway, for `createClient({ socket })`. */
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

/** One connection, as the gateway sees it. */
export class FakeLink {
  readonly request: SocketRequest;
  /** The frames of the client, decoded, in order. */
  readonly received: ClientFrame[] = [];
  /** How the client ended the link, if it did. */
  ended: { readonly code: number; readonly reason: string } | 'terminated' | undefined;
  open = true;
  readonly #server: FakeServer;
  readonly #handlers: SocketHandlers;
  readonly #latencyMs: () => number;
  #downAt = 0;
  #upAt = 0;
  /** Whether the client still listens. Once it has let go, nothing reaches it any more. */
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

  /** The client's end of the link. */
  readonly socket = {
    send: (wire: Wire) => this.#toServer(() => this.#receive(wire)),
    close: (code: number, reason: string) => this.#letGo({ code, reason }),
    terminate: () => this.#letGo('terminated'),
  };

  /** Returns the frames of one type that the client sent. */
  sent<Type extends ClientFrame['type']>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.received.filter((frame) => frame.type === type) as Extract<ClientFrame, { type: Type }>[];
  }

  send(frame: AnyFrame): void {
    this.sendWire(this.#server.dialect.encode(frame as ServerFrame));
  }

  /** Sends several frames as one array, in one WebSocket frame. */
  sendArray(frames: readonly AnyFrame[]): void {
    this.sendWire(this.#server.dialect.encode(frames as readonly ServerFrame[]));
  }

  sendWire(wire: Wire): void {
    if (!this.open) return;
    this.#toClient(() => this.#handlers.onMessage(wire));
  }

  /** Ends the link with a close frame, behind what was sent. */
  close(code: number, reason = ''): void {
    if (!this.open) return;
    this.#end();
    this.#toClient(() => this.#close(code, reason));
  }

  /** Breaks the network: what is on its way in either direction is lost, and both sides notice at once. */
  cut(): void {
    if (!this.open) return;
    this.#end();
    this.#close(1006, 'cut');
  }

  /** Makes the network silent: nothing arrives any more in either direction, and nobody is told. */
  freeze(): void {
    this.#end();
  }

  #receive(wire: Wire): void {
    if (!this.open) return;
    const frame = this.#server.dialect.decode(wire) as unknown as ClientFrame;
    // This is how the client asks whether the link is alive. It is answered as by every gateway, and is not shown to
    // the test.
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
