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
  /** The value is never printed. */
  readonly secret: boolean;
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

export const SETTINGS: readonly Setting[] = [
  setting('mode', 'text'),
  setting('host', 'text'),
  setting('port', 'integer', { also: ['PORT'] }),
  setting('healthPort', 'integer'),
  setting('node', 'text'),
  setting('redisUrl', 'text', { also: ['REDIS_URL'], secret: true }),
  setting('apiKeys', 'list', { secret: true }),
  setting('transport', 'text'),
  setting('workers', 'integer'),
  setting('logLevel', 'text'),
  setting('allowedOrigins', 'list'),
  ...LIMIT_NAMES.map((name) => setting(`limits.${name}`, name === 'lagMs' ? 'duration' : 'integer')),
  ...LATER_LIMIT_NAMES.map((name) => setting(`limits.${name}`, 'integer')),
  ...LATER_NAMES.map((name) => setting(name, 'text', { secret: true })),
];

function setting(path: string, kind: SettingKind, options: { also?: string[]; secret?: boolean } = {}): Setting {
  const words = path
    .replace(/^limits\./, 'limit.')
    .replace(/[A-Z]/g, (letter) => `.${letter}`)
    .split('.');
  return {
    path,
    kind,
    variables: [`FANFARE_${words.join('_').toUpperCase()}`, ...(options.also ?? [])],
    flag: `--${words.join('-').toLowerCase()}`,
    secret: options.secret ?? false,
  };
}
