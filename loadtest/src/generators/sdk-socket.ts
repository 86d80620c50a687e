import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { nodeSocket, type SocketFactory } from '@fanfare/client';
import { cutConnection } from './raw-connection.js';
import { Stall } from './stall.js';

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
  readonly stall = new Stall(() => this.#socket);
  #socket: TcpSocket | undefined;

  /** @param url returns where to connect, and is called for every connection; the query that the SDK adds is kept */
  constructor(url: () => string) {
    this.factory = (request, handlers) => {
      const target = new URL(new URL(request.url).search, url()).href;
      return opener.run(this, () => nodeSocket({ ...request, url: target }, handlers));
    };
  }

  opened(socket: TcpSocket | null): void {
    this.#socket = socket ?? undefined;
    this.stall.forget();
  }

  cut(): void {
    if (this.#socket && !this.#socket.destroyed) cutConnection(this.#socket);
  }
}
