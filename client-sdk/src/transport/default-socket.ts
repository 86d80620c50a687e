import { nativeSocket } from './native-socket.js';
import { nodeSocket } from './node-socket.js';
import type { SocketFactory } from './socket.js';

/** The runtime's own WebSocket; where there is none (Node 20), the `ws` package. */
export const defaultSocket: SocketFactory = (request, handlers) =>
  (typeof WebSocket === 'undefined' ? nodeSocket : nativeSocket)(request, handlers);
