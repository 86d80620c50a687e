import type { Clock } from '../clock.js';
import type { SessionListener } from './services.js';

/**
 * Writes one line for each connection into the log, at its end: who it was, from where, how it spoke, how long it
 * lasted, and the code with which it was closed. It is a listener only if the log is that detailed; otherwise
 * connections cost nothing for it.
 */
export function createConnectionLog(
  log: (fields: object, message: string) => void,
  clock: Pick<Clock, 'now'>,
): SessionListener {
  return {
    onGone({ id, remoteAddress, entrance, dialect, openedAtMs }, code, user) {
      const durationMs = Math.round(clock.now() - openedAtMs);
      const fields = {
        session: id,
        user,
        address: remoteAddress,
        via: entrance,
        dialect: dialect.name,
        code,
        durationMs,
      };
      log(fields, 'connection closed');
    },
  };
}
