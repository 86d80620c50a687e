/** Every setting by its path in the file, and how its names elsewhere are made from that. */

/** How the text of a flag or variable becomes what the file would hold. */
export type SettingKind = 'text' | 'integer' | 'list' | 'duration';

export interface Setting {
  /** Path in the file: `port`, `limits.subscriptions`. */
  readonly path: string;
  readonly kind: SettingKind;
  /** Environment names, the first that is set wins. */
  readonly variables: readonly string[];
  /** `--port` */
  readonly flag: string;
  /** A few words for `--help`; absent: not available in this version. */
  readonly about: string | undefined;
}

/** Limits of this version, and those that the contract names but this version does not have. */
export const LIMIT_NAMES = [
  'commandsPerSecond',
  'bytesPerSecond',
  'publishesPerSecond',
  'subscriptions',
  'frameBytes',
  'messageBytes',
  'bufferedBytes',
  'lagMs',
] as const;
export const LATER_LIMIT_NAMES = [
  'connections',
  'connectionsPerIp',
  'connectionsPerUser',
  'connectsPerSecond',
] as const;
export const LATER_NAMES = ['jwtSecret', 'jwtJwksUrl', 'jwtPublicKey', 'jwtIssuer', 'jwtAudience'] as const;

/** What each setting is, in a few words, for `--help`; docs/CONFIGURATION.md says it in full. */
const LIMITS_ABOUT: Readonly<Record<(typeof LIMIT_NAMES)[number], string>> = {
  commandsPerSecond: 'commands of a connection, a second',
  bytesPerSecond: 'bytes from a connection, a second',
  publishesPerSecond: 'publishes of a connection, a second',
  subscriptions: 'channels a connection may be on',
  frameBytes: 'largest frame from a client',
  messageBytes: 'largest payload, where a namespace says nothing else',
  bufferedBytes: 'most unsent bytes of a connection',
  lagMs: 'how long a connection may stay behind',
};

export const SETTINGS: readonly Setting[] = [
  setting('mode', 'text', 'development or production'),
  setting('host', 'text', 'address to listen on'),
  setting('port', 'integer', 'port to listen on; 0 takes a free one', { also: ['PORT'] }),
  setting('healthPort', 'integer', 'port for /health and /metrics alone'),
  setting('node', 'text', 'name of this gateway'),
  setting('redisUrl', 'text', 'Redis, Sentinel or Cluster; without it: memory', { also: ['REDIS_URL'] }),
  setting('apiKeys', 'list', 'keys of the HTTP API, with commas'),
  setting('transport', 'text', 'auto, uws or ws'),
  setting('workers', 'integer', 'gateway processes on the port'),
  setting('logLevel', 'text', 'trace, debug, info, warn, error, fatal or silent'),
  setting('allowedOrigins', 'list', 'origins of web pages that may connect, with commas'),
  ...LIMIT_NAMES.map((name) =>
    setting(`limits.${name}`, name === 'lagMs' ? 'duration' : 'integer', LIMITS_ABOUT[name]),
  ),
  ...LATER_LIMIT_NAMES.map((name) => setting(`limits.${name}`, 'integer', undefined)),
  ...LATER_NAMES.map((name) => setting(name, 'text', undefined)),
];

function setting(
  path: string,
  kind: SettingKind,
  about: string | undefined,
  { also = [] }: { also?: readonly string[] } = {},
): Setting {
  const words = path
    .replace(/^limits\./, 'limit.')
    .replace(/[A-Z]/g, (letter) => `.${letter}`)
    .split('.');
  return {
    path,
    kind,
    variables: [`FANFARE_${words.join('_').toUpperCase()}`, ...also],
    flag: `--${words.join('-').toLowerCase()}`,
    about,
  };
}
