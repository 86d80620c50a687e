/** Stands in for the `ws` adapter in bundles for pages and workers, which have a WebSocket. */
export { nativeSocket as nodeSocket } from './native-socket.js';
