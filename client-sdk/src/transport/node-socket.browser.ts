import type { SocketFactory } from './socket.js';

/** Stands in for the `ws` adapter in browser bundles (`browser` in package.json), which never use it. */
export const nodeSocket: SocketFactory = () => {
  throw new Error('nodeSocket is for Node');
};
