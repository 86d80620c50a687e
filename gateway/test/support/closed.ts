import type { EventEmitter } from 'node:events';

/** Resolves once this socket is closed, in order or by a reset. `once` of Node would reject with that. */
export function closed(socket: EventEmitter): Promise<void> {
  return new Promise((resolve) => socket.on('error', () => {}).once('close', () => resolve()));
}
