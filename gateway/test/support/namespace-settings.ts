import { createBackend, SCOPES } from '../../src/auth/api-keys.js';
import type { NamespaceSettings } from '../../src/namespaces.js';

/** An API key that may do everything. */
export const BACKEND = createBackend({ name: 'k', scopes: SCOPES, channels: ['*'] });

/** A small durable namespace that is open to anyone, but for what `settings` says. */
export function namespaceSettings(settings: Partial<NamespaceSettings> = {}): NamespaceSettings {
  return {
    durable: true,
    historySize: 10,
    historyTtlMs: 60_000,
    subscribe: 'anyone',
    publish: 'anyone',
    presence: false,
    maxMessageBytes: 1_000,
    ...settings,
  };
}
