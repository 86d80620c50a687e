import { loadConfig } from '../config/config.js';
import { settingsHelp } from '../config/docs.js';
import { type Command, UsageError } from './command.js';

const TIMEOUT_MS = 2_000;

export const health: Command = {
  name: 'health',
  usage: '[flags]',
  about:
    'Asks the gateway that `serve` runs with the same configuration on this machine whether it lives; exit 1 if not.',
  details: [
    'For container health checks: whether Redis is there does not count, since a restart would not bring it back.',
    'GET /health/ready says whether the gateway can serve.',
    '',
    settingsHelp(),
  ].join('\n'),
  async run(argv, { env, cwd, out }) {
    const { host, port, healthPort = port } = loadConfig({ argv, env, cwd });
    if (healthPort === 0) throw new UsageError('a gateway with port 0 takes a free one, which is not known here');
    const url = `http://${reachable(host)}:${healthPort}/health/live`;
    const { status } = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error: Error) => {
      const { message } = error.cause instanceof Error ? error.cause : error;
      throw new Error(`${url}: ${message}`);
    });
    if (status !== 200) throw new Error(`${url}: ${status}`);
    out(`${url}: ok\n`);
    return 0;
  },
};

/** An address to connect to; those that stand for all addresses can only be listened on. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
