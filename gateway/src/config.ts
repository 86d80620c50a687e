/**
 * The configuration of a gateway: flags, then environment, then file, then defaults.
 * docs/CONFIGURATION.md says what each setting means; a test compares the names.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { z } from 'zod';
import { checkLimits, type Limits, resolveLimits, resolveMessageBytes } from './config-limits.js';
import { type ConfigValues, configSchema, type NamespaceInput } from './config-schema.js';
import { type ConfigInput, type ConfigProblem, collectSettings, isTree, type Tree } from './config-sources.js';
import { type NamespaceSettings, Namespaces } from './namespaces.js';

export type { Limits } from './config-limits.js';
export type { ConfigInput, ConfigProblem } from './config-sources.js';

export interface Config {
  readonly mode: 'development' | 'production';
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Where `/health/*` and `/metrics` are served instead of on `port`; absent: on `port`. */
  readonly healthPort: number | undefined;
  /** Name of this gateway, unique among all. */
  readonly node: string;
  /** Absent: the memory broker. */
  readonly redisUrl: string | undefined;
  readonly apiKeys: readonly string[];
  readonly transport: 'auto' | 'uws' | 'ws';
  readonly workers: number;
  readonly logLevel: ConfigValues['logLevel'];
  readonly allowedOrigins: readonly string[];
  readonly namespaces: Namespaces;
  /** What {@link Config.namespaces} was made of. */
  readonly namespaceSettings: ReadonlyMap<string, NamespaceSettings>;
  readonly limits: Limits;
  readonly timings: Timings;
}

/** Times that are part of the contract and not configured; tests shorten them. */
export interface Timings {
  /** Between two pings to a client. */
  readonly pingIntervalMs: number;
  /** Silence after a ping that means the link is dead. */
  readonly pongTimeoutMs: number;
  /** For the first frame, `connect`. */
  readonly connectTimeoutMs: number;
  /** After the start of a connection, in which subscribes with `since` are not rate limited. */
  readonly resumeGraceMs: number;
  /** Given to clients to leave before a gateway that stops ends them. */
  readonly drainMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  pingIntervalMs: 25_000,
  pongTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  resumeGraceMs: 10_000,
  drainMs: 5_000,
};

/** Why the gateway does not start: every problem, not only the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** `port (FANFARE_PORT): expected …` */
export function formatProblem({ path, source, message }: ConfigProblem): string {
  return `${path}${source && source !== path ? ` (${source})` : ''}: ${message}`;
}

/**
 * Pure but for reading the file and naming the node.
 * @throws {ConfigError} with all problems.
 */
export function loadConfig(input: ConfigInput): Config {
  const { values: raw, problems, sourceOf } = collectSettings(input);
  const values: Partial<ConfigValues> & Partial<Record<string, unknown>> = {};
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    const parsed = schema.safeParse(raw[name]);
    if (parsed.success) {
      values[name] = parsed.data;
      continue;
    }
    const refusals = parsed.error.issues.flatMap(toRefusals);
    problems.push(...refusals.map(({ path, message }) => problem([name, ...path], message, sourceOf)));
    values[name] = schema.safeParse(without(raw[name], refusals)).data;
  }
  for (const name of Object.keys(raw)) {
    if (!Object.hasOwn(configSchema.shape, name)) problems.push(problem([name], 'unknown setting', sourceOf));
  }
  const config = resolveConfig(values, input.env);
  const isRefused = (name: string) => problems.some(({ path }) => path === name || path.startsWith(`${name}.`));
  for (const [path, message] of [
    ...checkTogether(config, isRefused),
    ...checkLimits(values.limits ?? {}, config.limits, config.namespaces.maxMessageBytes),
  ]) {
    problems.push(problem(path.split('.'), message, sourceOf));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

type SourceOf = (path: readonly PropertyKey[]) => string | undefined;

function problem(path: readonly PropertyKey[], message: string, sourceOf: SourceOf): ConfigProblem {
  const source = sourceOf(path);
  return {
    path: path
      .map(String)
      .map((part) => (part === '' ? '""' : part))
      .join('.'),
    message,
    ...(source ? { source } : {}),
  };
}

interface Refusal {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function toRefusals(issue: z.core.$ZodIssue): Refusal[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'unknown setting' }));
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ path: issue.path, message }];
}

/** A value without what was refused in it: that counts as not said, and the rest can be checked together. */
function without(value: unknown, refusals: readonly Refusal[]): unknown {
  const rest: Tree = { value: structuredClone(value) };
  for (const { path } of refusals) {
    const names = ['value', ...path];
    const last = names.pop() as PropertyKey;
    const parent = names.reduce<unknown>((tree, name) => (isTree(tree) ? tree[name as string] : undefined), rest);
    if (isTree(parent)) delete parent[last as string];
  }
  return rest.value;
}

/** Fills in what was not said. */
function resolveConfig(values: Partial<ConfigValues>, env: ConfigInput['env']): Config {
  const mode = values.mode ?? (env.NODE_ENV === 'production' ? 'production' : 'development');
  const development = mode === 'development';
  const limits = values.limits ?? {};
  const messageBytes = resolveMessageBytes(limits);
  const namespaceSettings = resolveNamespaces(values.namespaces, development, messageBytes);
  const namespaces = new Namespaces(namespaceSettings);
  return {
    mode,
    host: values.host ?? (development ? '127.0.0.1' : '0.0.0.0'),
    port: values.port ?? 8080,
    healthPort: values.healthPort,
    node:
      values.node ??
      `${hostname()
        .replace(/[^\w.-]/g, '')
        .slice(0, 48)}-${randomBytes(3).toString('hex')}`,
    redisUrl: values.redisUrl,
    apiKeys: values.apiKeys ?? (development ? ['dev'] : []),
    transport: values.transport ?? 'auto',
    workers: values.workers ?? 1,
    logLevel: values.logLevel ?? 'info',
    allowedOrigins: values.allowedOrigins ?? (development ? DEVELOPMENT_ORIGINS : []),
    namespaces,
    namespaceSettings,
    limits: resolveLimits(limits, development, messageBytes, namespaces.maxMessageBytes),
    timings: DEFAULT_TIMINGS,
  };
}

/** Pages of any development server on this machine. */
const DEVELOPMENT_ORIGINS = ['http://localhost:*', 'http://127.0.0.1:*', 'http://localhost', 'http://127.0.0.1'];

function resolveNamespaces(
  asked: ConfigValues['namespaces'],
  development: boolean,
  messageBytes: number,
): Map<string, NamespaceSettings> {
  const settle = (input: NamespaceInput): NamespaceSettings => ({
    durable: input.durable,
    historySize: input.history.size,
    historyTtlMs: input.history.ttl,
    subscribe: input.subscribe,
    publish: input.publish,
    presence: input.presence,
    maxMessageBytes: input.maxMessageBytes ?? messageBytes,
  });
  const closed: NamespaceInput = {
    durable: true,
    history: { size: 1000, ttl: 86_400_000 },
    subscribe: 'token',
    publish: 'none',
    presence: false,
  };
  const open: NamespaceInput = { ...closed, subscribe: 'anyone', publish: 'anyone', presence: true };
  const defaults: Record<string, NamespaceInput> = development
    ? { '': open, ...(asked ? {} : { demo: open, live: { ...open, durable: false } }) }
    : { '': closed };
  return new Map(Object.entries({ ...defaults, ...asked }).map(([name, input]) => [name, settle(input)]));
}

/** What depends on several settings, limits aside; skipped where one of them was refused already. */
function checkTogether(config: Config, isRefused: (name: string) => boolean): [path: string, why: string][] {
  const problems: [string, string][] = [];
  if (config.mode === 'production' && !isRefused('apiKeys') && !isRefused('mode')) {
    if (config.apiKeys.length === 0)
      problems.push(['apiKeys', 'production needs at least one API key (FANFARE_API_KEYS)']);
    if (config.apiKeys.includes('dev')) problems.push(['apiKeys', 'production refuses the API key "dev"']);
  }
  if (config.workers > 1 && config.redisUrl === undefined && !isRefused('redisUrl')) {
    problems.push(['workers', 'the memory broker lives in one process: more than one worker needs redisUrl']);
  }
  const { port, healthPort } = config;
  if (healthPort !== undefined && healthPort !== 0 && healthPort === port && !isRefused('port')) {
    problems.push(['healthPort', 'must differ from port']);
  }
  return problems;
}
