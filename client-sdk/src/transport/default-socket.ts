import { nativeSocket } from './native-socket.js';
import { nodeSocket } from './node-socket.js';
import type { SocketFactory } from './socket.js';

/** `ws` in Node, the runtime's own WebSocket elsewhere. */
export const defaultSocket: SocketFactory = (request, handlers) =>
  (isNode() ? nodeSocket : nativeSocket)(request, handlers);

function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return typeof process?.versions?.node === 'string';
}
