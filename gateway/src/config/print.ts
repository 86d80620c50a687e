import { NAMESPACE_SETTINGS } from './namespace-settings.js';
import type { Config } from './resolve.js';
import { isSetting, type Table } from './setting.js';
import { SETTINGS } from './settings.js';

/** The resolved configuration in the shape of the file, as `fanfare config` prints it. Secrets are hidden. */
export function describeConfig(config: Config): Record<string, unknown> {
  const namespaces = [...config.namespaceSettings].map(
    ([name, { historySize: size, historyTtlMs: ttl, historyAccess: access, ...settings }]) => [
      name,
      describe(NAMESPACE_SETTINGS, { ...settings, history: { size, ttl, access } }),
    ],
  );
  return describe(SETTINGS, { ...config, namespaces: Object.fromEntries(namespaces) });
}

function describe(table: Table, values: object): Record<string, unknown> {
  const lines = Object.entries(table).map(([name, entry]) => {
    const value: unknown = values[name as keyof typeof values];
    if (!isSetting(entry)) return [name, describe(entry, value as object)];
    // A limit that is off is 0 in the file, because JSON has no `Infinity`.
    if (entry.type.off === Number.POSITIVE_INFINITY && value === entry.type.off) return [name, 0];
    return [name, value === undefined || value === null || !entry.show ? value : entry.show(value)];
  });
  return Object.fromEntries(lines);
}
