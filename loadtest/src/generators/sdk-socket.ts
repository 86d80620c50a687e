import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { nodeSocket, type SocketFactory } from '@fanfare/client';
import { cutConnection } from './raw-connection.js';

/** The socket of the SDK that is being opened. The request that opens it does not say to which it belongs. */
const opener = new AsyncLocalStorage<SdkSocket>();
// Node reports every HTTP request that this process makes, and upgrades of WebSockets are among them.
subscribe('http.client.request.start', (message) =>
  opener.getStore()?.opened((message as { request: ClientRequest }).request.socket),
);

/**
 * The connection under a client of the SDK, which can be cut and stopped from outside. The SDK itself is unchanged, and
 * learns of that from the network only.
 */
export class SdkSocket {
  /** Opens sockets for the SDK, as {@link nodeSocket} does. */
  readonly factory: SocketFactory;
  #socket: TcpSocket | undefined;
  #stalledUntil = 0;
  #stalled: NodeJS.Timeout | undefined;

  /** @param url returns where to connect, and is called for every connection; the query that the SDK adds is kept */
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

  /** Stops reading for a time: first the kernel's buffers fill, then those of the gateway. */
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
