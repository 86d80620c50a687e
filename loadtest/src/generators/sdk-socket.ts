import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { nodeSocket, type SocketFactory } from '@fanfare/client';
import { cutConnection } from './raw-connection.js';

/** Whose socket is being opened: whoever opens it does not say. */
const opener = new AsyncLocalStorage<SdkSocket>();
// Node tells of every HTTP request that this process makes, the upgrades of WebSockets among them.
subscribe('http.client.request.start', (message) =>
  opener.getStore()?.opened((message as { request: ClientRequest }).request.socket),
);

/**
 * The connection under a client of the SDK, to be cut and stopped from outside: the SDK, as it is, learns of it from the
 * network only.
 */
export class SdkSocket {
  /** Opens sockets for the SDK, as {@link nodeSocket} does. */
  readonly factory: SocketFactory;
  #socket: TcpSocket | undefined;
  #stalledUntil = 0;
  #stalled: NodeJS.Timeout | undefined;

  /** @param url where to connect, asked for every connection; what the SDK has in its query is kept */
  constructor(url: () => string) {
    this.factory = (request, handlers) => {
      const target = new URL(new URL(request.url).search, url()).href;
      return opener.run(this, () => nodeSocket({ ...request, url: target }, handlers));
    };
  }

  opened(socket: TcpSocket | null): void {
    this.#socket = socket ?? undefined;
    this.#stalledUntil = 0;
  }

  get isStalled(): boolean {
    return performance.now() < this.#stalledUntil;
  }

  cut(): void {
    if (this.#socket && !this.#socket.destroyed) cutConnection(this.#socket);
  }

  /** Stops reading for a time: the kernel's buffers fill, then the gateway's. */
  stall(ms: number): void {
    this.#socket?.pause();
    this.#stalledUntil = performance.now() + ms;
    clearTimeout(this.#stalled);
    this.#stalled = setTimeout(() => this.resume(), ms).unref();
  }

  /** Reads again. */
  resume(): void {
    clearTimeout(this.#stalled);
    this.#stalledUntil = 0;
    this.#socket?.resume();
  }
}
