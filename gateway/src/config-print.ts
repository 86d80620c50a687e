import type { Config } from './config.js';
import { LIMIT_NAMES } from './config-settings.js';

const HIDDEN = '***';

/** The resolved configuration in the shape of the file, as `fanfare config` prints it; secrets hidden. */
export function describeConfig(config: Config): Record<string, unknown> {
  const { namespaces: _namespaces, namespaceSettings, timings: _timings, limits, ...rest } = config;
  return {
    ...rest,
    redisUrl: config.redisUrl && hideCredentials(config.redisUrl),
    apiKeys: config.apiKeys.map(() => HIDDEN),
    namespaces: Object.fromEntries(
      [...namespaceSettings].map(([name, { historySize, historyTtlMs, ...settings }]) => [
        name,
        { ...settings, history: { size: historySize, ttl: historyTtlMs } },
      ]),
    ),
    limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, Number.isFinite(limits[name]) ? limits[name] : 0])),
  };
}

/** `redis://user:secret@host` to `redis://***@host`. All before the last `@` goes, and the query. */
export function hideCredentials(url: string): string {
  return url.replace(/\/\/.*@/, `//${HIDDEN}@`).replace(/\?.*$/, `?${HIDDEN}`);
}
