import type { Cancel } from './clock.js';

/** Calls back whenever a browser finds the network again; elsewhere never. */
export function onNetworkBack(callback: () => void): Cancel {
  const target = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;
  target.addEventListener?.('online', callback);
  return () => target.removeEventListener?.('online', callback);
}
