import type { Wire } from '@fanfare/protocol';

/**
 * Returns whether a frame has more bytes than this. UTF-8 takes at most three bytes for a UTF-16 unit, so most text
 * need not be counted.
 */
export function isLonger(wire: Wire, maxBytes: number): boolean {
  if (typeof wire !== 'string') return wire.length > maxBytes;
  if (wire.length * 3 <= maxBytes) return false;
  return wire.length > maxBytes || new TextEncoder().encode(wire).length > maxBytes;
}
