import { FanfareClientError } from '../errors.js';
import type { Socket, SocketFactory, SocketHandlers, SocketRequest } from './socket.js';

/** What is used of the `ws` package. Its own types would tie the SDK's declarations to Node's. */
interface WsSocket {
  readonly readyState: number;
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'open', listener: () => void): void;
  on(event: 'message', listener: (data: Uint8Array, isBinary: boolean) => void): void;
  on(event: 'close', listener: (code: number, reason: Uint8Array) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}
type WsConstructor = new (url: string, subprotocols: string[], options: { perMessageDeflate: boolean }) => WsSocket;

const OPEN = 1;
/** How long the peer may take to answer a close frame before the link is cut, ms. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Loads the `ws` package, under a name that bundlers cannot follow. Few need it, and those have it installed where they
 * run.
 */
async function loadWs(name: string): Promise<WsConstructor> {
  try {
    const module = await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
    return module.WebSocket as WsConstructor;
  } catch (cause) {
    throw new FanfareClientError('no_websocket', 'there is no WebSocket here: install the ws package', { cause });
  }
}

/** The `ws` package, loaded when the first connection is made. Without it that fails with `no_websocket`. */
export const nodeSocket: SocketFactory = (request, handlers): Socket => {
  let socket: WsSocket | undefined;
  let over = false;
  const end = (code: number, reason: string, fatal?: FanfareClientError) => {
    if (over) return;
    over = true;
    handlers.onClose(code, reason, fatal);
  };
  loadWs('ws')
    .then((Ws) => {
      if (!over) socket = openWs(Ws, request, { ...handlers, onClose: end });
    })
    .catch((error: Error) => end(1006, error.message, error instanceof FanfareClientError ? error : undefined));
  return {
    send: (wire) => {
      if (socket?.readyState === OPEN) socket.send(wire);
    },
    close: (code, reason) => {
      over = true;
      if (socket === undefined) return;
      socket.close(code, reason);
      // Without this a peer that is gone would keep the process alive for ws's own 30 s.
      const timer = setTimeout(() => socket?.terminate(), CLOSE_TIMEOUT_MS);
      socket.on('close', () => clearTimeout(timer));
    },
    terminate: () => {
      over = true;
      socket?.terminate();
    },
  };
};

function openWs(Ws: WsConstructor, { url, subprotocols }: SocketRequest, handlers: SocketHandlers): WsSocket {
  const socket = new Ws(url, [...subprotocols], { perMessageDeflate: false });
  const decoder = new TextDecoder();
  let failure = '';
  socket.on('open', () => handlers.onOpen());
  socket.on('message', (data, isBinary) => handlers.onMessage(isBinary ? data : decoder.decode(data)));
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => handlers.onClose(code, decoder.decode(reason) || failure));
  return socket;
}
