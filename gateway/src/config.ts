/**
 * The configuration of a gateway: flags, then environment, then file, then defaults.
 * docs/CONFIGURATION.md says what each setting means; a test compares the names.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { z } from 'zod';
import {
  type ConfigValues,
  configSchema,
  FRAME_OVERHEAD_BYTES,
  MAX_FRAME_BYTES,
  MAX_TIMER_MS,
  type NamespaceInput,
} from './config-schema.js';
import { type ConfigInput, type ConfigProblem, collectSettings } from './config-sources.js';
import { type NamespaceSettings, Namespaces } from './namespaces.js';

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

/**
 * Limits per connection. One that is off is `Infinity` (rates, counts) or as high as the transports
 * go (`frameBytes` and `messageBytes` 64 MiB, `bufferedBytes` 1 GiB, `lagMs` 24 days), never 0.
 */
export interface Limits {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly publishesPerSecond: number;
  /** Channels a connection may be on. */
  readonly subscriptions: number;
  /** Largest frame a client may send: `maxFrame`. */
  readonly frameBytes: number;
  /** Largest payload where a namespace says nothing else. */
  readonly messageBytes: number;
  /** Most unsent bytes of a connection in the gateway. */
  readonly bufferedBytes: number;
  /** How long a connection may stay behind. */
  readonly lagMs: number;
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
  const values: Partial<Record<string, unknown>> = {};
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    const parsed = schema.safeParse(raw[name]);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(...parsed.error.issues.flatMap((issue) => toProblems(name, issue, sourceOf)));
  }
  for (const name of Object.keys(raw)) {
    if (!Object.hasOwn(configSchema.shape, name)) problems.push(problem([name], 'unknown setting', sourceOf));
  }
  const config = resolveConfig(values as Partial<ConfigValues>, input.env);
  problems.push(...checkTogether(config, new Set(problems.map(({ path }) => path.split('.')[0] as string)), sourceOf));
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

function toProblems(name: string, issue: z.core.$ZodIssue, sourceOf: SourceOf): ConfigProblem[] {
  const path = [name, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => problem([...path, key], 'unknown setting', sourceOf));
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [problem(path, message, sourceOf)];
}

/** Fills in what was not said. Settings that were refused count as not said. */
function resolveConfig(values: Partial<ConfigValues>, env: ConfigInput['env']): Config {
  const mode = values.mode ?? (env.NODE_ENV === 'production' ? 'production' : 'development');
  const development = mode === 'development';
  const messageBytes = or(values.limits?.messageBytes, 65_536, MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES);
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
    limits: resolveLimits(values.limits ?? {}, development, messageBytes, namespaces.maxMessageBytes),
    timings: DEFAULT_TIMINGS,
  };
}

/** Pages of any development server on this machine. */
const DEVELOPMENT_ORIGINS = ['http://localhost:*', 'http://127.0.0.1:*', 'http://localhost', 'http://127.0.0.1'];

function resolveLimits(
  asked: ConfigValues['limits'],
  development: boolean,
  messageBytes: number,
  largestMessageBytes: number,
): Limits {
  const frameBytes = or(asked.frameBytes, largestMessageBytes + FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES);
  const rate = (value: number | undefined, production: number) => or(value, development ? 0 : production, Infinity);
  return {
    commandsPerSecond: rate(asked.commandsPerSecond, 200),
    bytesPerSecond: rate(asked.bytesPerSecond, 512 * 1024),
    publishesPerSecond: rate(asked.publishesPerSecond, 50),
    subscriptions: or(asked.subscriptions, 1000, Infinity),
    frameBytes,
    messageBytes,
    bufferedBytes: or(asked.bufferedBytes, Math.max(1024 * 1024, frameBytes), 2 ** 30),
    lagMs: or(asked.lagMs, 60_000, MAX_TIMER_MS),
  };
}

/** The value, or the default; 0 turns a limit off. */
function or(value: number | undefined, byDefault: number, off: number): number {
  const limit = value ?? byDefault;
  return limit === 0 ? off : limit;
}

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

/** What depends on several settings; skipped where one of them was refused already. */
function checkTogether(config: Config, refused: ReadonlySet<string>, sourceOf: SourceOf): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const say = (path: string, message: string) => problems.push(problem(path.split('.'), message, sourceOf));
  if (config.mode === 'production' && !refused.has('apiKeys') && !refused.has('mode')) {
    if (config.apiKeys.length === 0) say('apiKeys', 'production needs at least one API key (FANFARE_API_KEYS)');
    if (config.apiKeys.includes('dev')) say('apiKeys', 'production refuses the API key "dev"');
  }
  if (config.workers > 1 && config.redisUrl === undefined && !refused.has('redisUrl')) {
    say('workers', 'the memory broker lives in one process: more than one worker needs redisUrl');
  }
  if (config.healthPort !== undefined && config.healthPort !== 0 && config.healthPort === config.port) {
    say('healthPort', 'must differ from port');
  }
  const { limits, namespaces } = config;
  if (!refused.has('limits') && !refused.has('namespaces')) {
    const needed = namespaces.maxMessageBytes + FRAME_OVERHEAD_BYTES;
    if (limits.frameBytes < needed) {
      say(
        'limits.frameBytes',
        `the largest message allowed needs frames of ${needed} bytes (maxMessageBytes + ${FRAME_OVERHEAD_BYTES})`,
      );
    }
    if (limits.bufferedBytes < limits.frameBytes)
      say('limits.bufferedBytes', 'must not be less than limits.frameBytes');
  }
  return problems;
}
