import type { Clock } from '../clock.js';
import type { SessionListener } from './services.js';

/**
 * One line a connection, at its end: who it was, from where, how it spoke, how long it lasted, and the code it was closed with.
 * For a gateway whose log is that detailed only: where it is no listener, a connection costs nothing of it.
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
