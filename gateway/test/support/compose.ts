import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** A file of the repository. */
export const readRepositoryFile = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

export interface ComposeService {
  readonly image?: string;
  readonly build?: string;
  readonly environment?: Record<string, string>;
  readonly command?: string;
  readonly ports?: string[];
  readonly profiles?: string[];
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { readonly test: string[] };
  readonly stop_grace_period?: string;
}

/** docker-compose.yml. */
export const compose = parse(readRepositoryFile('docker-compose.yml'), { merge: true }) as {
  readonly services: Record<string, ComposeService>;
  readonly configs: Record<string, { readonly content: string }>;
  readonly volumes: Record<string, unknown>;
};

export const composeGateways = Object.entries(compose.services).filter(([name]) => name.startsWith('gateway-'));

/** The environment of a service, `${NAME:-default}` as it is where nothing is set. */
export function composeSettings(service: ComposeService): Record<string, string> {
  const byDefault = (text: string) => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
  return Object.fromEntries(Object.entries(service.environment ?? {}).map(([name, value]) => [name, byDefault(value)]));
}
