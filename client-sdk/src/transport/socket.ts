import type { Wire } from '@fanfare/protocol';
import type { FanfareClientError } from '../errors.js';

/** The port between the SDK and a WebSocket: what it needs of one, and nothing else. */
export interface Socket {
  /** Sends one frame. It does nothing once the socket is closed. */
  send(wire: Wire): void;
  /** Begins the closing handshake. */
  close(code: number, reason: string): void;
  /** Lets go of the link without waiting for the peer. */
  terminate(): void;
}

/** What a socket tells. None of it is called before the factory has returned. */
export interface SocketHandlers {
  /** The WebSocket handshake is done. */
  onOpen(): void;
  /** One whole frame has come. Its bytes are not used again. */
  onMessage(wire: Wire): void;
  /**
   * The socket is gone, or never came to be. It is called at most once, as the last call. The code is 1006 if there was
   * no close frame. With `fatal` no attempt can ever succeed, so none is made.
   */
  onClose(code: number, reason: string, fatal?: FanfareClientError): void;
}

/** Where a socket is to be opened. */
export interface SocketRequest {
  /** The whole address, which begins with `ws:` or `wss:`. */
  readonly url: string;
  /** The subprotocols that the gateway is offered, the one that is wanted most first. */
  readonly subprotocols: readonly string[];
}

/**
 * Opens a WebSocket. If it throws, that counts as a connection that failed, and for good if it is a `FanfareClientError`.
 */
export type SocketFactory = (request: SocketRequest, handlers: SocketHandlers) => Socket;
