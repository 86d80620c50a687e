/** Makes a configuration of what was said, by the defaults of the mode and by what follows from other settings. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type NamespaceSettings, Namespaces } from '../namespaces.js';
import { NAMESPACE_SETTINGS } from './namespace-settings.js';
import { fillIn } from './schema.js';
import type { SaidOf, ValuesOf } from './setting.js';
import { type Said, SETTINGS } from './settings.js';
import { resolveMessageBytes, resolveSizes, type Sizes } from './sizes.js';

type Settled = ValuesOf<typeof SETTINGS>;
type Mode = 'development' | 'production';

/**
 * The values of all settings in the shape of the table, with what is derived filled in. A limit that is off is
 * `Infinity` (rates, counts) or as high as the transports go (`frameBytes` and `messageBytes` 64 MiB,
 * `bufferedBytes` 1 GiB, `lagMs` 24 days), never 0.
 */
export interface Config extends Omit<Settled, 'mode' | 'node' | 'allowAnonymous' | 'namespaces' | 'limits'> {
  readonly mode: Mode;
  /** Name of this gateway, unique among all gateways. */
  readonly node: string;
  readonly allowAnonymous: boolean;
  readonly namespaces: Namespaces;
  /** The settings of which {@link Config.namespaces} was made. */
  readonly namespaceSettings: ReadonlyMap<string, NamespaceSettings>;
  readonly limits: Limits;
  readonly timings: Timings;
}

export type Limits = Omit<Settled['limits'], keyof Sizes> & Sizes;

/** Times that are part of the contract and cannot be configured, ms. Tests shorten them. */
export interface Timings {
  /** Time between two pings to a client. */
  readonly pingIntervalMs: number;
  /** How long a client may be silent after a ping before its link counts as dead. */
  readonly pongTimeoutMs: number;
  /** How long a client may take to send its first frame, `connect`. */
  readonly connectTimeoutMs: number;
  /** How long after the start of a connection subscribes with `since` are not rate limited. */
  readonly resumeGraceMs: number;
  /** How long clients have to leave, once they were told to, before a gateway that stops ends their connections. */
  readonly closeMs: number;
}

const DEFAULT_TIMINGS: Timings = {
  pingIntervalMs: 25_000,
  pongTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  resumeGraceMs: 10_000,
  closeMs: 5_000,
};

/** Fills in what was not said. */
export function resolveConfig(said: Said, env: Readonly<Record<string, string | undefined>>): Config {
  const mode = said.mode ?? (env.NODE_ENV === 'production' ? 'production' : 'development');
  const settled = fillIn(SETTINGS, said, mode);
  const asked = said.limits ?? {};
  const messageBytes = resolveMessageBytes(asked);
  const namespaceSettings = resolveNamespaces(said.namespaces, mode, messageBytes);
  const namespaces = new Namespaces(namespaceSettings);
  const limits = { ...settled.limits, ...resolveSizes(asked, messageBytes, namespaces.maxMessageBytes) };
  const node = settled.node ?? `${hostLabel()}-${randomBytes(3).toString('hex')}`;
  const allowAnonymous = settled.allowAnonymous ?? (!verifiesTokens(settled) || isOpen(namespaceSettings));
  return { ...settled, mode, node, allowAnonymous, namespaces, namespaceSettings, limits, timings: DEFAULT_TIMINGS };
}

/** Whether the gateway verifies tokens itself. */
export function verifiesTokens({
  jwtSecret,
  jwtPublicKey,
  jwtJwksUrl,
}: Pick<Settled, 'jwtSecret' | 'jwtPublicKey' | 'jwtJwksUrl'>): boolean {
  return jwtSecret !== undefined || jwtPublicKey !== undefined || jwtJwksUrl !== undefined;
}

function isOpen(namespaces: ReadonlyMap<string, NamespaceSettings>): boolean {
  return [...namespaces.values()].some(({ subscribe, publish }) => subscribe === 'anyone' || publish === 'anyone');
}

/** The name of this machine, in a form that `node` may have. */
function hostLabel(): string {
  return hostname()
    .replace(/[^\w.-]/g, '')
    .slice(0, 48);
}

type SaidNamespace = SaidOf<typeof NAMESPACE_SETTINGS>;

const OPEN: SaidNamespace = { subscribe: 'anyone', publish: 'anyone', presence: true };

/**
 * The settings of all namespaces. The default namespace is always there. In development everything is open until the
 * file says otherwise.
 */
function resolveNamespaces(
  asked: Said['namespaces'],
  mode: Mode,
  messageBytes: number,
): Map<string, NamespaceSettings> {
  const defaults: Record<string, SaidNamespace> =
    mode === 'production'
      ? { '': {} }
      : { '': OPEN, ...(asked ? {} : { demo: OPEN, live: { ...OPEN, durable: false } }) };
  const settle = (said: SaidNamespace): NamespaceSettings => {
    const { history, maxMessageBytes = messageBytes, ...rest } = fillIn(NAMESPACE_SETTINGS, said, mode);
    const { size: historySize, ttl: historyTtlMs, access: historyAccess } = history;
    return { ...rest, maxMessageBytes, historySize, historyTtlMs, historyAccess };
  };
  return new Map(Object.entries({ ...defaults, ...asked }).map(([name, said]) => [name, settle(said)]));
}
