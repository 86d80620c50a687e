import { once } from 'node:events';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
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
    const { host, port, healthPort = port, tls } = loadConfig({ argv, env, cwd });
    const isSecure = tls.cert !== undefined && healthPort === port;
    if (healthPort === 0) throw new UsageError('a gateway with port 0 takes a free one, which is not known here');
    const url = `${isSecure ? 'https' : 'http'}://${reachable(host)}:${healthPort}/health/live`;
    const status = await statusOf(url).catch((error: Error) => {
      throw new Error(`${url}: ${error.message}`);
    });
    if (status !== 200) throw new Error(`${url}: ${status}`);
    out(`${url}: ok\n`);
    return 0;
  },
};

/**
 * The HTTP status of the answer. The certificate is not checked, because it is for the gateway's public name and not
 * for this address.
 */
async function statusOf(url: string): Promise<number | undefined> {
  const options = { signal: AbortSignal.timeout(TIMEOUT_MS), agent: false, rejectUnauthorized: false } as const;
  const request = url.startsWith('https:') ? getHttps(url, options) : getHttp(url, options);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

/** An address to connect to, for a host on which the gateway listens, which may stand for all addresses. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
