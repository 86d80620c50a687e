/** What a gateway is put together from, and the order in which its parts start and end. */
import type { ApiRoutes } from './api/route.js';

export interface Part {
  /** The paths of the HTTP API that the part answers. */
  readonly routes?: ApiRoutes;
  /** Starts the part; called once. Rejects with one clear line if the part cannot serve. */
  start?(): void | Promise<void>;
  /** Ends the part; called once, unless `start` was not called or failed. */
  close?(): void | Promise<void>;
}

/**
 * Starts parts one after the other: each stands on those before it. If one cannot start, the others are closed.
 * @returns a function that closes all of them, the last one first
 */
export async function startParts(parts: readonly Part[]): Promise<() => Promise<void>> {
  const waiting = new Set(parts.filter(({ start }) => start));
  const close = async () => {
    for (const part of parts.toReversed()) {
      if (!waiting.has(part)) await part.close?.();
    }
  };
  for (const part of parts) {
    try {
      await part.start?.();
      waiting.delete(part);
    } catch (error) {
      await close();
      throw error;
    }
  }
  return close;
}
