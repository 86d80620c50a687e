/**
 * Stands in for the `ws` adapter in bundles for browsers (`browser` in package.json). Some of the places
 * where those run look like Node (Electron, Workers with `nodejs_compat`), and all have a WebSocket.
 */
export { nativeSocket as nodeSocket } from './native-socket.js';
