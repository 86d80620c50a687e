import { loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { type Command, UsageError } from './command.js';

const DETAILS = `  list              the dead letters: events that the application refused, or did not take for long (default)
  replay [id ...]   sends them again, behind what waits: all of them, or those named
  drop [id ...]     throws them away: all of them, or those named

`;

export const webhooks: Command = {
  name: 'webhooks',
  usage: '[list | replay | drop] [id ...] [flags]',
  about: 'Shows the webhooks that were given up, in Redis, and sends them again.',
  details: DETAILS + settingsHelp(),
  async run(argv, { env, cwd, out }) {
    const flagAt = argv.findIndex((one) => one.startsWith('-'));
    const words = flagAt < 0 ? argv : argv.slice(0, flagAt);
    const [what = 'list', ...ids] = words;
    if (what !== 'list' && what !== 'replay' && what !== 'drop') throw new UsageError(`no action "${what}"`);
    if (what === 'list' && ids.length > 0) throw new UsageError('list takes no ids');
    const { redisUrl } = loadConfig({ argv: argv.slice(words.length), env, cwd });
    if (redisUrl === undefined) throw new UsageError('no Redis is configured; give --redis-url or FANFARE_REDIS_URL');
    const { openDeadLetters } = await import('../webhooks/redis/dead-letters.js');
    const letters = await openDeadLetters(redisUrl);
    try {
      if (what === 'list') {
        for (const { id, why, event } of await letters.list()) out(`${id}  ${why}  ${event}\n`);
        return 0;
      }
      const { found, missing } = await letters.settle(what, ids);
      out(`${found} ${what === 'replay' ? 'put back into the queue' : 'thrown away'}\n`);
      for (const id of missing) out(`${id} is no dead letter\n`);
      return missing.length > 0 ? 1 : 0;
    } finally {
      letters.close();
    }
  },
};
