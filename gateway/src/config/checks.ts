/** What is fine by itself and contradicts something else. */
import type { Config } from './resolve.js';
import type { Said } from './settings.js';
import { checkSizes } from './sizes.js';

type Problem = readonly [path: string, why: string];

/**
 * @param said what was asked for: defaults never contradict anything
 * @param isRefused whether a setting was refused already, or something in it: what it would say is not known then
 */
export function checkTogether(config: Config, said: Said, isRefused: (name: string) => boolean): Problem[] {
  const { mode, apiKeys, workers, redisUrl, port, healthPort, limits, namespaces } = config;
  const problems: Problem[] = [];
  if (mode === 'production' && !isRefused('apiKeys') && !isRefused('mode')) {
    if (apiKeys.length === 0) problems.push(['apiKeys', 'production needs at least one API key (FANFARE_API_KEYS)']);
    if (apiKeys.includes('dev')) problems.push(['apiKeys', 'production refuses the API key "dev"']);
  }
  if (workers > 1 && redisUrl === undefined && !isRefused('redisUrl')) {
    problems.push(['workers', 'the memory broker lives in one process: more than one worker needs redisUrl']);
  }
  if (healthPort !== undefined && healthPort !== 0 && healthPort === port && !isRefused('port')) {
    problems.push(['healthPort', 'must differ from port']);
  }
  problems.push(...checkSizes(said.limits ?? {}, limits, namespaces.maxMessageBytes));
  return problems;
}
