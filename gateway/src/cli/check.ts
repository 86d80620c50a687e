import { loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { type Command, UsageError } from './command.js';

const MARKS = { ok: 'ok    ', advice: 'advice', error: 'ERROR ' } as const;

export const check: Command = {
  name: 'check',
  usage: '[flags]',
  about: 'Talks to Redis and says whether it is fit: one line a finding, exit 1 if a gateway would not start.',
  details: settingsHelp(),
  async run(argv, { env, cwd, out }) {
    const { redisUrl, namespaces } = loadConfig({ argv, env, cwd });
    if (redisUrl === undefined) throw new UsageError('no Redis is configured; give --redis-url or FANFARE_REDIS_URL');
    const { checkRedis } = await import('../broker/redis/checks.js');
    const lines = await checkRedis(redisUrl, namespaces.maxMessageBytes);
    for (const { level, text } of lines) out(`${MARKS[level]} ${text}\n`);
    return lines.some(({ level }) => level === 'error') ? 1 : 0;
  },
};
