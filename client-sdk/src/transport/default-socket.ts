import { nativeSocket } from './native-socket.js';
import { nodeSocket } from './node-socket.js';
import type { SocketFactory } from './socket.js';

/** Opens the runtime's own WebSocket, or that of the `ws` package if there is none (Node 20). */
export const defaultSocket: SocketFactory = (request, handlers) =>
  (typeof WebSocket === 'undefined' ? nodeSocket : nativeSocket)(request, handlers);
