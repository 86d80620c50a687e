/** Checks of settings that are valid by themselves and contradict each other. */
import type { Config } from './resolve.js';
import type { Said } from './settings.js';
import { checkSizes } from './sizes.js';

type Problem = readonly [path: string, why: string];

/**
 * @param said what was asked for, since defaults never contradict anything
 * @param isRefused whether a setting, or something in it, was refused already, so that its value is not known
 */
export function checkTogether(config: Config, said: Said, isRefused: (name: string) => boolean): Problem[] {
  const { mode, apiKeys, workers, redisUrl, port, healthPort, limits, namespaces, webhooks, tls } = config;
  const problems: Problem[] = [];
  if (mode === 'production' && !isRefused('apiKeys') && !isRefused('mode')) {
    if (apiKeys.length === 0) problems.push(['apiKeys', 'production needs at least one API key (FANFARE_API_KEYS)']);
    if (apiKeys.some(({ key }) => key === 'dev')) problems.push(['apiKeys', 'production refuses the API key "dev"']);
  }
  if (workers > 1 && redisUrl === undefined && !isRefused('redisUrl')) {
    problems.push(['workers', 'the memory broker lives in one process: more than one worker needs redisUrl']);
  }
  if (healthPort !== undefined && healthPort !== 0 && healthPort === port && !isRefused('port')) {
    problems.push(['healthPort', 'must differ from port']);
  }
  for (const [has, lacks] of [
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const) {
    if (tls[has] !== undefined && tls[lacks] === undefined && !isRefused('tls'))
      problems.push([`tls.${lacks}`, `needed where tls.${has} is set`]);
  }
  problems.push(...checkIdentity(config));
  if (webhooks.url !== undefined && webhooks.secret.length === 0 && !isRefused('webhooks')) {
    problems.push(['webhooks.secret', 'webhooks are signed: needed where webhooks.url is set']);
  }
  problems.push(...checkSizes(said.limits ?? {}, limits, namespaces.maxMessageBytes));
  return problems;
}

/** HS256 wants a key as long as its hash (RFC 7518 section 3.2); a shorter secret can be guessed from a single token. */
export const MIN_SECRET_BYTES = 32;

function checkIdentity({ mode, jwtSecret, jwtJwksUrl, jwtAudience, auth, namespaceSettings }: Config): Problem[] {
  const problems: Problem[] = [];
  if (mode === 'production' && jwtSecret !== undefined && Buffer.byteLength(jwtSecret) < MIN_SECRET_BYTES) {
    problems.push([
      'jwtSecret',
      `production needs a secret of at least ${MIN_SECRET_BYTES} bytes: openssl rand -base64 48`,
    ]);
  }
  if (mode === 'production' && jwtJwksUrl !== undefined && jwtAudience === undefined) {
    const why = 'production needs an audience with jwtJwksUrl: whoever issues its keys makes tokens for others too';
    problems.push(['jwtAudience', why]);
  }
  if (auth.hook.url !== undefined) return problems;
  for (const [name, { subscribe, publish, historyAccess, presenceAccess }] of namespaceSettings) {
    const rules = { subscribe, publish, 'history.access': historyAccess, presenceAccess };
    for (const [rule, access] of Object.entries(rules)) {
      if (access === 'hook')
        problems.push([`namespaces.${name || '""'}.${rule}`, 'nobody is there to ask: give auth.hook.url']);
    }
  }
  return problems;
}
