import { count, type Stats } from '../stats.js';
import type { UpgradeRequest, UpgradeResult } from '../transport/transport.js';
import type { Logger } from './logger.js';

/** Most refusals that are logged: a flood of made-up origins must not flood the log. */
const MAX_LOGGED = 32;
/** Most characters of text from outside that go into the log. */
const MAX_TEXT_LENGTH = 200;

/** Counts the upgrades that `decide` refuses, by reason, and logs the first of each reason and origin. */
export function watchRefusals<Session>(
  decide: (request: UpgradeRequest) => UpgradeResult<Session>,
  stats: Pick<Stats, 'refusedUpgrades'>,
  logger: Pick<Logger, 'warn'>,
): (request: UpgradeRequest) => UpgradeResult<Session> {
  const logged = new Set<string>();
  return (request) => {
    const result = decide(request);
    if (result.accept) return result;
    const reason = result.body;
    count(stats.refusedUpgrades, reason);
    const text = (value: string) => value.slice(0, MAX_TEXT_LENGTH) || undefined;
    const origin = text(request.header('origin'));
    const kind = JSON.stringify([reason, origin]);
    if (logged.size < MAX_LOGGED && !logged.has(kind)) {
      logged.add(kind);
      const { status } = result;
      const [path, host] = [text(request.path), text(request.header('host'))];
      logger.warn(
        { reason, status, origin, host, path, address: request.remoteAddress },
        'refused an upgrade; further ones like it are only counted',
      );
    }
    return result;
  };
}
