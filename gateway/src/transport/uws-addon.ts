import { createRequire } from 'node:module';

/** The module `uWebSockets.js`, a native addon. */
type UwsAddon = typeof import('uWebSockets.js');

type UwsAvailability =
  | { readonly addon: UwsAddon }
  | { readonly addon: undefined /** One line: why it does not load here. */; readonly reason: string };

/**
 * Loads uWebSockets.js. Its binaries are built for some Node versions and for glibc; elsewhere (or
 * where the optional dependency was not installed) the caller takes the `ws` transport.
 */
export function loadUws(): UwsAvailability {
  try {
    return { addon: createRequire(import.meta.url)('uWebSockets.js') as UwsAddon };
  } catch (error) {
    const lines = String(error instanceof Error ? error.message : error)
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('Require stack') && !line.startsWith('- '));
    return { addon: undefined, reason: lines.at(-1) ?? 'unknown' };
  }
}
